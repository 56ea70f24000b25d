/** What the process takes of the machine, handed in: in a simulation nothing that another run would see otherwise. */
export interface Usage {
  /** Bytes: what the system counts as the process's, and what of it is the heap's. */
  memory(): { readonly rss: number; readonly heapTotal: number };
  /** Microseconds of processor since the process began. */
  cpu(): { readonly user: number; readonly system: number };
}

export class RealUsage implements Usage {
  memory(): { readonly rss: number; readonly heapTotal: number } {
    return process.memoryUsage();
  }

  cpu(): { readonly user: number; readonly system: number } {
    return process.cpuUsage();
  }
}
