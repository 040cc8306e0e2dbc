import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { seccompFilter } from '../../src/sandbox/seccomp.ts';

const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;
const AUDIT_X86_64 = 0xc000003e;
const AUDIT_AARCH64 = 0xc00000b7;
const AUDIT_I386 = 0x40000003;

interface Call {
  audit: number;
  number: number;
  args?: readonly number[];
}

/** Runs a filter as the kernel would: the few instructions of classic BPF that seccomp programs use. */
function verdict(filter: Buffer, call: Call): string {
  const data = Buffer.alloc(64);
  data.writeInt32LE(call.number, 0);
  data.writeUInt32LE(call.audit, 4);
  for (const [index, value] of call.args?.entries() ?? [])
    data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const value = filter.readUInt32LE(at * 8 + 4);
    const jump = (condition: boolean) => filter.readUInt8(at * 8 + (condition ? 2 : 3));
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x15) at += jump(accumulator === value);
    else if (code === 0x35) at += jump(accumulator >= value);
    else if (code === 0x45) at += jump((accumulator & value) !== 0);
    else if (code === 0x06) {
      if (value === 0x7fff0000) return 'allow';
      return value === 0x80000000 ? 'kill' : `errno ${value & 0xffff}`;
    } else throw new Error(`unknown instruction ${code.toString(16)}`);
  }
  throw new Error('ran off the end');
}

describe.each([
  {
    processor: 'x64',
    audit: AUDIT_X86_64,
    read: 0,
    execve: 59,
    memfd: 319,
    clone: 56,
    socket: 41,
    ioctl: 16,
  },
  {
    processor: 'arm64',
    audit: AUDIT_AARCH64,
    read: 63,
    execve: 221,
    memfd: 279,
    clone: 220,
    socket: 198,
    ioctl: 29,
  },
])(
  'the system-call filter for $processor',
  ({ processor, audit, read, execve, memfd, clone, socket, ioctl }) => {
    const filter = seccompFilter(processor) ?? Buffer.alloc(0);
    const judge = (number: number, ...args: number[]) => verdict(filter, { audit, number, args });

    it('lets ordinary work through', () => {
      const THREAD = 0x3d0f00;
      expect([
        judge(read),
        judge(execve),
        judge(clone, THREAD),
        judge(clone, 17),
        judge(ioctl, 0, 0x5401),
      ]).toEqual(Array(5).fill('allow'));
    });

    it('answers that a call does not exist where libraries have another way', () => {
      expect([judge(memfd), judge(435), judge(425)]).toEqual(Array(3).fill(`errno ${ENOSYS}`));
    });

    it('forbids every flag of clone that makes a namespace', () => {
      for (const flag of [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
        expect(judge(clone, flag | 17), flag.toString(16)).toBe(`errno ${EPERM}`);
      }
    });

    it('knows one family of sockets', () => {
      expect(judge(socket, 1, 1)).toBe('allow');
      for (const family of [0, 2, 10, 16, 17, 38, 40])
        expect(judge(socket, family, 1)).toBe(`errno ${EAFNOSUPPORT}`);
    });

    it('types into no terminal', () => {
      expect([judge(ioctl, 0, 0x5412), judge(ioctl, 0, 0x541c)]).toEqual(Array(2).fill(`errno ${EPERM}`));
    });

    it('kills whoever speaks with the numbers of another architecture', () => {
      expect(verdict(filter, { audit: AUDIT_I386, number: read })).toBe('kill');
      expect(
        verdict(filter, { audit: audit === AUDIT_X86_64 ? AUDIT_AARCH64 : AUDIT_X86_64, number: read }),
      ).toBe('kill');
    });
  },
);

it('there is none for a processor whose numbers are not known, and nothing is contained there', () => {
  expect(seccompFilter('riscv64')).toBeNull();
});
