/**
 * Packets that nodes of Redis 7.0.15 sent one another while a cluster of six was built, failed over by hand and by itself,
 * and took an old master back. One behind the other, compressed.
 */
import { brotliDecompressSync } from 'node:zlib';

const PACKED = [
  'WxktgelZYMe0aXRwNkZ8ufpB/3DqvZ85gILB1SVcTmlMwJqUsIDBasGKpRZA13NzfszCEyk+vVOqCjxmAP3qKPXhItwqjn8G449M4yMDGNev9jrVVhzV',
  'pkiUQKXdeaqM8ZdQLfMVEoURKQczD/r4KhGS8SiJ0xj/jb1Na6soXXgXrFxu9yLMFytp8iUS5eluLf0GFVDBZV5lcMjmeW5b/ptAONPkjGp44XdYproz',
  'rZ7vSVhjrE6QUSXhSVG3eoD9/trPqVcfgYLdgOoDKEPfJQYNjf/9Y2xiY1tRWmyyee9eJoqieyzZPFsxf2ai+ZgLoAHgXBR84/9N7KHxSgB1ZBQAAORj',
  'lQwCAAjWlpj4LwkAgCHGRn1pNbBIR149P/2uWe7jPpvch5lxYjGIQ59RjpKoAQAIMHe5xzvyJdWDnPICpch2gs4WiTO0WIwm0WkUbpppE2MtQz5LJwY9',
  'pKeTpolUcQUUPgAAQ2ixQfehVxOyRBepwo8tm3OZER5+10cHH2JXzRip6ZrwAQCA0OL02ulUfapHxTgdnwd2tmNwq+7L9HvxdTnNA6k9EWzKAQAUGUAl',
  'TLxF/Hiy9aplB/J5O25XpXQutuiYB1ohXmapAdaQFvl/EGnLJsCJyDvXRZyUsv4Ww0uK/2/VrypyiMY8XJKBvIBweFQ24vVV/FZ1gGu7/seQ/rYNLQdr',
  'B0ArAcQNAMD3QgJkbqwZWGiGt1YGUBsvUr7yQDNphF/5FZXHhaCKCNhIbgRcy4QmJXIAAD6qBt1gliUA1i2IngKKHgCAgYFMPNRc14xeNvkTPQAAA5Ka',
  'O97pNHdUirfua8IHAAAYSMVCRDeXSHWUj+nS4IT1FTvdymmQrNWvcNcGdVarGS/9Q82Ip3lMR9ZFFD4AAMBAKpCi2fjzxTc8mMf0JdVWhulaXxHqKy47',
  'dWwPPBBn86vUfNcKdTnPAHrvlmw8cT3shJ/k748OAMAF0Cdn5G5737fkfsMp33IWTvGAGf+lz/qK/WrlrJjaAVvO3sP+/3sbaoTe56o9DmxP1tCdkOuT',
  'X4wI1M6d0mw4/+kBAIQAV5lJT94AAAIk2lzyacoBANzWlDPBm2wAAM+my+n2/LgcqB+QJ0kvV704mgnfG66Z8M9jdNOk7VKBgH93AAABoMwG4gf91Hn/',
  'mA1/6TkCBgCQAxTBylPmePGSheIFAJAXAe08AA==',
];

/** All of them, as one stream. */
export function recordedStream(): Uint8Array {
  return new Uint8Array(brotliDecompressSync(Buffer.from(PACKED.join(''), 'base64')));
}

/** Each by itself. */
export function recordedPackets(): Uint8Array[] {
  const stream = recordedStream();
  const view = new DataView(stream.buffer);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += view.getUint32(at + 4))
    packets.push(stream.subarray(at, at + view.getUint32(at + 4)));
  return packets;
}
