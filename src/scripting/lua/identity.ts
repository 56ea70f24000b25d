/** Numbers of their own for objects, in the place of their addresses. */
const identities = { last: 0x1a40 };

interface Identified {
  id: number;
}

/** A number of its own for an object, given at the first look, as an address would be. */
export function identity(object: Identified): number {
  if (object.id === 0) object.id = identities.last += 0x20;
  return object.id;
}

export function addressOf(object: object): number {
  return identity(object as Identified);
}
