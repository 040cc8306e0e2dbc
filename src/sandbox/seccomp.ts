import { constants } from 'node:os';

/**
 * The system-call filter of contained processes, as the classic-BPF program that bubblewrap's `--seccomp` loads. It
 * closes what namespaces leave open: memory that no RSS watchdog sees (memfd, System V IPC), kernel surface that
 * training never needs (io_uring, bpf, keyrings, ptrace, mounts, new namespaces) and every socket family but AF_UNIX.
 *
 * Numbers are those of the kernel's own tables: [x86_64, aarch64], null where the architecture has no such call.
 */
const DENIED: readonly (readonly [name: string, x86_64: number, aarch64: number | null])[] = [
  ['memfd_create', 319, 279],
  ['memfd_secret', 447, 447],
  ['shmget', 29, 194],
  ['shmat', 30, 196],
  ['shmctl', 31, 195],
  ['shmdt', 67, 197],
  ['msgget', 68, 186],
  ['msgsnd', 69, 189],
  ['msgrcv', 70, 188],
  ['msgctl', 71, 187],
  ['semget', 64, 190],
  ['semop', 65, 193],
  ['semtimedop', 220, 192],
  ['semctl', 66, 191],
  ['mq_open', 240, 180],
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['io_uring_register', 427, 427],
  ['userfaultfd', 323, 282],
  ['ptrace', 101, 117],
  ['process_vm_readv', 310, 270],
  ['process_vm_writev', 311, 271],
  ['pidfd_getfd', 438, 438],
  ['kcmp', 312, 272],
  ['mount', 165, 40],
  ['umount2', 166, 39],
  ['pivot_root', 155, 41],
  ['chroot', 161, 51],
  ['move_mount', 429, 429],
  ['open_tree', 428, 428],
  ['open_tree_attr', 467, 467],
  ['fsopen', 430, 430],
  ['fsconfig', 431, 431],
  ['fsmount', 432, 432],
  ['fspick', 433, 433],
  ['mount_setattr', 442, 442],
  ['unshare', 272, 97],
  ['setns', 308, 268],
  ['add_key', 248, 217],
  ['request_key', 249, 218],
  ['keyctl', 250, 219],
  ['bpf', 321, 280],
  ['perf_event_open', 298, 241],
  ['kexec_load', 246, 104],
  ['kexec_file_load', 320, 294],
  ['init_module', 175, 105],
  ['finit_module', 313, 273],
  ['delete_module', 176, 106],
  ['reboot', 169, 142],
  ['swapon', 167, 224],
  ['swapoff', 168, 225],
  ['acct', 163, 89],
  ['quotactl', 179, 60],
  ['quotactl_fd', 443, 443],
  ['syslog', 103, 116],
  ['name_to_handle_at', 303, 264],
  ['open_by_handle_at', 304, 265],
  ['fanotify_init', 300, 262],
  ['lookup_dcookie', 212, 18],
  ['nfsservctl', 180, 42],
  ['personality', 135, 92],
  ['settimeofday', 164, 170],
  ['clock_settime', 227, 112],
  ['clock_adjtime', 305, 266],
  ['adjtimex', 159, 171],
  ['sethostname', 170, 161],
  ['setdomainname', 171, 162],
  ['vhangup', 153, 58],
  ['iopl', 172, null],
  ['ioperm', 173, null],
  ['modify_ldt', 154, null],
  ['uselib', 134, null],
  ['ustat', 136, null],
  ['sysfs', 139, null],
  ['_sysctl', 156, null],
];

interface Architecture {
  column: 1 | 2;
  /** AUDIT_ARCH_*: the machine's ELF number, 64-bit, little-endian. */
  audit: number;
  socket: number;
  socketpair: number;
  clone: number;
  clone3: number;
  ioctl: number;
  /** Calls at or above this number belong to a second ABI (x32) whose numbers the table does not cover. */
  foreignFrom: number | null;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: {
    column: 1,
    audit: 0xc000003e,
    socket: 41,
    socketpair: 53,
    clone: 56,
    clone3: 435,
    ioctl: 16,
    foreignFrom: 0x40000000,
  },
  arm64: {
    column: 2,
    audit: 0xc00000b7,
    socket: 198,
    socketpair: 199,
    clone: 220,
    clone3: 435,
    ioctl: 29,
    foreignFrom: null,
  },
};

// Opcodes and return values of <linux/bpf_common.h> and <linux/seccomp.h>.
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number) => 0x00050000 | code;

// Offsets in struct seccomp_data; an argument's low word comes first on both little-endian machines.
const NUMBER = 0;
const ARCH = 4;
const argument = (index: number) => 16 + 8 * index;

const AF_UNIX = 1;
/** Every CLONE_NEW* flag that clone() can carry: mount, cgroup, uts, ipc, user, pid, net. */
const NEW_NAMESPACES = 0x7e020000;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** The filter for this machine's processor as bytes of `struct sock_filter[]`, or null where there is none. */
export function seccompFilter(processor: string = process.arch): Buffer | null {
  const architecture = ARCHITECTURES[processor];
  if (architecture === undefined) return null;
  const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;

  const program: [code: number, whenTrue: number, whenFalse: number, value: number][] = [
    // Another architecture's calls (32-bit ones on a 64-bit kernel) have other numbers: nothing honest makes them.
    [LOAD_WORD, 0, 0, ARCH],
    [JUMP_EQUAL, 1, 0, architecture.audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
  ];
  if (architecture.foreignFrom !== null) {
    program.push([JUMP_AT_LEAST, 0, 1, architecture.foreignFrom], [RETURN, 0, 0, errno(ENOSYS)]);
  }
  for (const row of DENIED) {
    const call = row[architecture.column];
    if (call !== null) program.push([JUMP_EQUAL, 0, 1, call], [RETURN, 0, 0, errno(denialOf(row[0]))]);
  }
  // clone3 takes its flags by pointer, which a filter can't follow: ENOSYS makes every libc fall back to clone.
  program.push([JUMP_EQUAL, 0, 1, architecture.clone3], [RETURN, 0, 0, errno(ENOSYS)]);
  program.push(
    [JUMP_EQUAL, 0, 4, architecture.clone],
    [LOAD_WORD, 0, 0, argument(0)],
    [JUMP_ANY_BIT, 0, 1, NEW_NAMESPACES],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
  );
  for (const call of [architecture.socket, architecture.socketpair]) {
    program.push(
      [JUMP_EQUAL, 0, 4, call],
      [LOAD_WORD, 0, 0, argument(0)],
      [JUMP_EQUAL, 1, 0, AF_UNIX],
      [RETURN, 0, 0, errno(EAFNOSUPPORT)],
      [RETURN, 0, 0, ALLOW],
    );
  }
  // Both ioctls type into a terminal that someone else reads.
  program.push(
    [JUMP_EQUAL, 0, 5, architecture.ioctl],
    [LOAD_WORD, 0, 0, argument(1)],
    [JUMP_EQUAL, 1, 0, TIOCSTI],
    [JUMP_EQUAL, 0, 1, TIOCLINUX],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, ALLOW],
  );

  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, whenTrue, whenFalse, value], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(whenTrue, index * 8 + 2);
    bytes.writeUInt8(whenFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  });
  return bytes;

  /** ENOSYS where libraries probe and have another way; EPERM where the answer is simply no. */
  function denialOf(name: string): number {
    return /^(memfd|shm|msg|sem|mq_|io_uring|userfaultfd)/.test(name) ? ENOSYS : EPERM;
  }
}
