import { RUN_AND_TELL } from '../../unit/scripting/lua/oracle.ts';

/**
 * The script that runs a generated program on either server and tells all about what it gives: values with their types,
 * tables in the order of their traversal with their length. Tables with objects as keys are sorted: where an object lies
 * in memory decides their order.
 */
export const HARNESS = `
local function show(v, depth)
  local kind = type(v)
  if kind == 'string' then return string.format('%q', v) end
  if kind == 'number' then return string.format('%.14g', v) end
  if kind == 'nil' or kind == 'boolean' then return tostring(v) end
  if kind ~= 'table' then return kind end
  if depth > 4 then return '{...}' end
  local out, plain = {}, true
  for k, item in next, v do
    local name = show(k, depth + 3)
    if type(k) ~= 'string' and type(k) ~= 'number' and type(k) ~= 'boolean' then plain = false end
    out[#out + 1] = name .. '=' .. show(item, depth + 1)
  end
  if not plain then table.sort(out) end
  return '#' .. #v .. '{' .. table.concat(out, ',') .. '}'
end
${RUN_AND_TELL}`;

/** What differs without meaning: addresses, and the sign of not-a-number (and so its padding) and of zero. */
export function comparable(text: string): string {
  return text
    .replace(/ *-?nan/g, 'nan')
    .replace(/-0\b(?!\.)/g, '0')
    .replace(/0x[0-9a-f]{6,}/g, '0x');
}
