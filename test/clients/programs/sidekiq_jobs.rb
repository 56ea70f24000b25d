# ruby-sidekiq: a job that is pushed is fetched and run, one for later is moved to its queue when it is due.
require 'sidekiq'
require 'sidekiq/cli'
require 'sidekiq/scheduled'

Sidekiq.configure_server { |config| config.redis = { url: "redis://127.0.0.1:#{ARGV[0]}/0" } }
Sidekiq.configure_client { |config| config.redis = { url: "redis://127.0.0.1:#{ARGV[0]}/0" } }
Sidekiq.logger.level = Logger::FATAL

DONE = Queue.new

class Job
  include Sidekiq::Worker

  def perform(number)
    DONE << number
  end
end

Job.perform_async(1)
Job.perform_in(0.2, 2)
require 'sidekiq/launcher'
options = Sidekiq.options.merge(queues: ['default'], concurrency: 1, timeout: 2)
launcher = Sidekiq::Launcher.new(options)
launcher.run
deadline = Time.now + 40
sleep 0.05 until DONE.size == 2 || Time.now > deadline || (Sidekiq::Scheduled::Enq.new.enqueue_jobs && false)
raise "#{DONE.size} jobs of 2 were done" unless DONE.size == 2
raise 'the jobs came in another order' unless [DONE.pop, DONE.pop] == [1, 2]
exit! 0
