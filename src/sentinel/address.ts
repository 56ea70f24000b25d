/** Where an instance is reached, and whether two texts mean the same place. Texts hold one byte a character. */

export interface Address {
  /** As it was given: a host name or an IP address. */
  readonly host: string;
  /** The IP address that `host` stands for; '' while it is not known, when nobody is connected to. */
  readonly ip: string;
  /** 0 where the instance has no valid address any more. */
  readonly port: number;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && sameHost(a, b);
}

export function sameHost(a: Address, b: Address): boolean {
  return a.host === b.host || (a.ip !== '' && a.ip === b.ip);
}

/** Whether somebody who says `host` and `port` means this address: by its name, or by its IP address. */
export function isCalled(address: Address, host: string, port: number): boolean {
  return address.port === port && (address.host === host || address.ip === host);
}
