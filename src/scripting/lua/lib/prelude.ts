/**
 * The library functions that call back many times, in Lua, so that they can be suspended like all Lua code. They look
 * like functions of the host: their lines don't appear in messages. They index tables without metamethods.
 */
export const PRELUDE = `
local index, concat, loadstring, type, floor, fail = ...
local P = {}

local function natural(a, b) return a < b end

function P.gsub(next, captures, put, result, repl, isTable)
  while true do
    local found, key = next()
    if not found then break end
    if isTable then put((index(repl, key))) else put((repl(captures()))) end
  end
  return result()
end

function P.foreach(t, f)
  local k, v = _next(t)
  while k ~= nil do
    local r = f(k, v)
    if r ~= nil then return r end
    k, v = _next(t, k)
  end
end

function P.foreachi(t, f, n)
  for i = 1, n do
    local r = f(i, t[i])
    if r ~= nil then return r end
  end
end

function P.load(f, name)
  local pieces, asked = {}, 0
  while true do
    local failed, piece = f()
    if failed then return nil, piece end
    asked = asked + 1
    -- An end at once isn't believed.
    if piece == nil or piece == '' then
      if asked > 1 then break end
      piece = ''
    end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
  end
  return loadstring(concat(pieces), name)
end

-- Quicksort with the median of three as pivot, kept at the end; the larger part waits on a list.
function P.sort(t, n, less)
  less = less or natural
  local waiting, low, high = {}, 1, n
  while true do
    while low < high do
      local a, b = t[low], t[high]
      if less(b, a) then t[low], t[high] = b, a end
      if high - low == 1 then break end
      local middle = floor((low + high) / 2)
      a, b = t[middle], t[low]
      if less(a, b) then
        t[middle], t[low] = b, a
      else
        b = t[high]
        if less(b, a) then t[middle], t[high] = b, a end
      end
      if high - low == 2 then break end
      local pivot = t[middle]
      t[middle], t[high - 1] = t[high - 1], pivot
      local i, j = low, high - 1
      while true do
        i = i + 1
        while less(t[i], pivot) do
          if i > high then fail('invalid order function for sorting') end
          i = i + 1
        end
        j = j - 1
        while less(pivot, t[j]) do
          if j < low then fail('invalid order function for sorting') end
          j = j - 1
        end
        if j < i then break end
        t[i], t[j] = t[j], t[i]
      end
      t[high - 1], t[i] = t[i], t[high - 1]
      local size = #waiting
      if i - low < high - i then
        waiting[size + 1], waiting[size + 2] = i + 1, high
        high = i - 1
      else
        waiting[size + 1], waiting[size + 2] = low, i - 1
        low = i + 1
      end
    end
    local size = #waiting
    if size == 0 then return end
    low, high = waiting[size - 1], waiting[size]
    waiting[size], waiting[size - 1] = nil, nil
  end
end

return P
`;
