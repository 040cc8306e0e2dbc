import type { ProcessLimits } from '../../src/sandbox/sandbox.ts';

/** What the attacker is told about the host: all of it must stay out of reach. */
export interface Targets {
  /** Absolute path of a file on the host that holds `secret`. */
  secretFile: string;
  /** In the server's environment, too. */
  secret: string;
  /** A server of the host listens on this port of 127.0.0.1. */
  port: number;
  /** … and on this abstract socket. */
  abstractSocket: string;
}

export interface Attack {
  name: string;
  stoppedBy: string;
  /**
   * Body of a Python function `attack(t)`. It escaped when it returns something true; OSError, ValueError or a false
   * value mean that it was stopped. Attacks that must be killed from outside say so with `endsBy`.
   */
  python: string;
  endsBy?: (exit: { reason: string; signal: string | null }) => boolean;
  limits?: Partial<ProcessLimits>;
  /** Leaves no trace when it succeeds, so it can be shown to succeed where nothing stops it. */
  harmless?: true;
}

/** Calls by number, as an attacker without a libc wrapper would. The first of each pair is x86_64's. */
const CALLS: Readonly<Record<string, readonly [number, number, args: string]>> = {
  memfd_create: [319, 279, 'b"x", 0'],
  shmget: [29, 194, '0, 4096, 0o1600'],
  msgget: [68, 186, '0, 0o1600'],
  mq_open: [240, 180, 'b"/x", 0o102, 0o600, 0'],
  ptrace: [101, 117, '0, 0, 0, 0'],
  process_vm_readv: [310, 270, '1, 0, 0, 0, 0, 0'],
  mount: [165, 40, 'b"none", b"/tmp", b"tmpfs", 0, 0'],
  umount2: [166, 39, 'b"/proc", 2'],
  fsopen: [430, 430, 'b"tmpfs", 0'],
  open_tree: [428, 428, '-100, b"/", 1'],
  pivot_root: [155, 41, 'b".", b"."'],
  chroot: [161, 51, 'b"/tmp"'],
  'unshare(user)': [272, 97, '0x10000000'],
  'unshare(mount)': [272, 97, '0x20000'],
  'clone(user)': [56, 220, '0x10000000 | 17, 0, 0, 0, 0'],
  clone3: [435, 435, '0, 0'],
  setns: [308, 268, '0, 0'],
  keyctl: [250, 219, '0, -3, 1'],
  add_key: [248, 217, 'b"user", b"x", b"y", 1, -3'],
  bpf: [321, 280, '5, 0, 0'],
  perf_event_open: [298, 241, '0, 0, -1, -1, 0'],
  io_uring_setup: [425, 425, '8, ctypes.create_string_buffer(256)'],
  userfaultfd: [323, 282, '1'],
  open_by_handle_at: [304, 265, '-100, 0, 0'],
  personality: [135, 92, '0x0400000'],
  sethostname: [170, 161, 'b"owned", 5'],
  kexec_load: [246, 104, '0, 0, 0, 0'],
  init_module: [175, 105, '0, 0, b""'],
};

const systemCalls: Attack[] = Object.entries(CALLS).map(([name, [x86_64, aarch64, args]]) => ({
  name: `system call ${name}`,
  ...(name === 'memfd_create' || name === 'clone3' ? { harmless: true as const } : {}),
  stoppedBy: 'seccomp, no capabilities',
  // -1 with EINVAL or EFAULT would mean that the kernel looked at the arguments: the door is open.
  python: `
    number = {"x86_64": ${x86_64}, "aarch64": ${aarch64}}[platform.machine()]
    if libc.syscall(number, ${args}) >= 0: return True
    return ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS)`,
}));

const sockets: Attack[] = Object.entries({
  inet: 2,
  inet6: 10,
  netlink: 16,
  packet: 17,
  bluetooth: 31,
  alg: 38,
  vsock: 40,
}).map(([name, family]) => ({
  name: `socket of family ${name}`,
  ...(name === 'inet' || name === 'netlink' ? { harmless: true as const } : {}),
  stoppedBy: 'seccomp',
  python: `
    for kind in (1, 2, 3, 5):
      try: socket.socket(${family}, kind)
      except OSError as e:
        if e.errno not in (errno.EAFNOSUPPORT, errno.EPERM): return str(e)
      else: return True`,
}));

/** Every row of the threat table, from the outside in. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'read files of the host',
    harmless: true,
    stoppedBy: 'mount namespace',
    python: `
    for path in ("/etc/shadow", "/etc/passwd", "/var/run/docker.sock", "/run/docker.sock", t["secretFile"], "/sys/kernel",
                 "/proc/1/root" + t["secretFile"], "/proc/1/cwd/etc/shadow", "/home", "/var"):
      if os.path.exists(path): return path`,
  },
  {
    name: "read the server's secrets in /proc",
    stoppedBy: 'spawn with an empty environment, pid namespace',
    python: `
    for pid in filter(str.isdigit, os.listdir("/proc")):
      for name in ("environ", "cmdline", "maps"):
        try: text = open(f"/proc/{pid}/{name}", "rb").read()
        except OSError: continue
        if t["secret"].encode() in text: return f"{pid}/{name}"
        if name != "maps" and os.path.dirname(t["secretFile"]).encode() in text: return f"path in {pid}/{name}"`,
  },
  {
    name: 'see processes of the host',
    harmless: true,
    stoppedBy: 'pid namespace',
    python: `
    pids = [p for p in os.listdir("/proc") if p.isdigit()]
    return pids if len(pids) > 3 else None`,
  },
  {
    name: "take over the sandbox's own pid 1",
    stoppedBy: 'seccomp on pid 1 too, or another user',
    python: `
    status = open("/proc/1/status").read()
    if re.search(r"CapEff:\\s+0+\\n", status) and re.search(r"Seccomp:\\s+2", status): return None
    try: open("/proc/1/mem", "r+b", 0).close()
    except OSError: return None
    return status`,
  },
  {
    name: 'connect to a port of the host',
    harmless: true,
    stoppedBy: 'net namespace, seccomp',
    python: 'return socket.create_connection(("127.0.0.1", t["port"]), 2)',
  },
  {
    name: 'connect to an abstract socket of the host',
    harmless: true,
    stoppedBy: 'net namespace',
    python: `
    s = socket.socket(socket.AF_UNIX)
    s.connect("\\0" + t["abstractSocket"])
    return True`,
  },
  ...sockets,
  ...systemCalls,
  {
    name: 'call the kernel by 32-bit numbers',
    stoppedBy: 'seccomp kills',
    // mov eax, 20 (getpid); int 0x80; ret
    python: `
    if platform.machine() != "x86_64": os.kill(os.getpid(), 31)
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()`,
    endsBy: (exit) => exit.signal !== null,
  },
  {
    name: 'call the kernel by x32 numbers',
    stoppedBy: 'seccomp',
    python: `
    if platform.machine() != "x86_64": return None
    return libc.syscall(0x40000000 + 39) >= 0`,
  },
  {
    name: 'become root or regain capabilities',
    stoppedBy: 'no new privileges, empty bounding set',
    python: `
    status = open("/proc/self/status").read()
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
      if not re.search(name + r":\\s+0+\\n", status): return status
    if "NoNewPrivs:\\t1" not in status or "Seccomp:\\t2" not in status: return status
    os.setuid(0)
    return True`,
  },
  {
    name: 'use a descriptor that the server inherited',
    stoppedBy: 'only 0, 1 and 2 are open',
    python: `
    for descriptor in range(3, 1024):
      try: return os.readlink(f"/proc/self/fd/{descriptor}")
      except OSError: pass`,
  },
  {
    name: 'write to kernel settings',
    stoppedBy: '/proc is read-only, /sys is absent',
    python: `
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory", "/proc/self/oom_score_adj",
                 "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent"):
      try: open(path, "w").write("-17")
      except OSError: continue
      return path`,
  },
  {
    name: 'write outside the folder',
    stoppedBy: 'read-only mounts',
    python: `
    for path in ("/x", "/usr/x", "/etc/x", "/dev/x", "/proc/x", "/job/x", os.path.dirname(sys.executable) + "/x", "/job/work/x"):
      try: open(path, "w")
      except OSError: continue
      return path`,
  },
  {
    name: 'see the upload, the holdout or the artifacts',
    harmless: true,
    stoppedBy: 'untrusted code gets other mounts',
    python: 'return [n for n in ("input", "sealed", "out") if os.path.exists(n)]',
  },
  {
    name: 'fork bomb',
    stoppedBy: 'nproc, also when the server is root',
    limits: { processes: 40 },
    python: `
    made = 0
    for _ in range(200):
      try: pid = os.fork()
      except BlockingIOError: break
      if pid == 0:
        time.sleep(30)
        os._exit(0)
      made += 1
    return made if made > 40 else None`,
  },
  {
    name: 'thread bomb',
    stoppedBy: 'nproc',
    limits: { processes: 40 },
    python: `
    for made in range(200):
      try: threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
      except RuntimeError: break
    print(json.dumps([0, "BLOCKED" if made < 60 else "ESCAPED"]), flush=True)
    os._exit(0)`,
  },
  {
    name: 'take all memory',
    stoppedBy: 'memory watchdog',
    limits: { memoryBytes: 200 * 1024 ** 2 },
    python: `
    held = []
    for _ in range(40):
      held.append(os.urandom(20 * 1024 ** 2))
      time.sleep(0.03)
    return True`,
    endsBy: (exit) => exit.reason === 'memory',
  },
  {
    name: 'take all memory in many processes',
    stoppedBy: 'memory watchdog adds up the tree',
    limits: { memoryBytes: 200 * 1024 ** 2 },
    python: `
    for _ in range(8):
      if os.fork() == 0:
        held = os.urandom(60 * 1024 ** 2)
        time.sleep(30)
    time.sleep(30)
    return True`,
    endsBy: (exit) => exit.reason === 'memory',
  },
  {
    name: 'reserve all address space',
    stoppedBy: 'as',
    python: 'return mmap.mmap(-1, 1 << 40)',
  },
  {
    name: 'fill shared memory',
    stoppedBy: 'tmpfs size',
    limits: { memoryBytes: 1024 ** 3 },
    python: `
    written = 0
    with open("/dev/shm/x", "wb", 0) as f:
      while written < 100 * 1024 ** 2: written += f.write(bytes(1024 ** 2))
    return True`,
  },
  {
    name: 'fill /tmp',
    stoppedBy: 'tmpfs size',
    limits: { memoryBytes: 1024 ** 3, fileBytes: 1024 ** 3 },
    python: `
    written = 0
    with open("/tmp/x", "wb", 0) as f:
      while written < 300 * 1024 ** 2: written += f.write(bytes(1024 ** 2))
    return True`,
  },
  {
    name: 'make a huge file',
    stoppedBy: 'fsize',
    python: `
    with open("/job/scratch/x", "wb", 0) as f:
      for _ in range(64): f.write(bytes(1024 ** 2))
    return True`,
  },
  {
    name: 'make a sparse file',
    stoppedBy: 'fsize',
    python: `
    with open("/job/scratch/x", "wb") as f: f.truncate(1 << 40)
    return True`,
  },
  {
    name: 'raise a limit again',
    stoppedBy: 'hard limits, no capabilities',
    python: `
    for name in ("NPROC", "AS", "FSIZE", "NOFILE", "CORE", "MEMLOCK", "CPU", "MSGQUEUE"):
      which = getattr(resource, "RLIMIT_" + name, 12)
      soft, hard = resource.getrlimit(which)
      try: resource.setrlimit(which, (hard + 1, hard + 1))
      except (ValueError, OSError): continue
      return name`,
  },
  {
    name: 'type into the terminal of the server',
    stoppedBy: 'new session, seccomp',
    python: `
    for descriptor in (0, 1, 2):
      try: fcntl.ioctl(descriptor, termios.TIOCSTI, b"x")
      except OSError: continue
      return True
    return open("/dev/tty")`,
  },
  {
    name: 'signal everything',
    stoppedBy: 'pid namespace',
    python: `
    try: os.kill(-1, 0)
    except OSError: pass
    os.kill(${process.pid > 100 ? process.pid : 99_999}, 0)
    return True`,
  },
  {
    name: 'print without end',
    stoppedBy: 'output cap',
    limits: { outputBytes: 256 * 1024 },
    python: `
    while True: print("x" * 1000)`,
    endsBy: (exit) => exit.reason === 'output',
  },
  {
    name: 'busy loop that ignores SIGXCPU',
    stoppedBy: 'cpu limit',
    limits: { cpuSeconds: 1 },
    python: `
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True: pass`,
    endsBy: (exit) => exit.signal === 'SIGKILL' && exit.reason === 'exited',
  },
  {
    name: 'busy loop',
    stoppedBy: 'cpu limit',
    limits: { cpuSeconds: 1 },
    python: `
    while True: pass`,
    endsBy: (exit) => exit.reason === 'deadline',
  },
  {
    name: 'sleep and ignore every signal',
    stoppedBy: 'wall clock',
    limits: { wallSeconds: 1 },
    python: `
    for number in range(1, 32):
      try: signal.signal(number, signal.SIG_IGN)
      except (OSError, ValueError): pass
    if os.fork() == 0: os.setsid()
    while True: time.sleep(1)`,
    endsBy: (exit) => exit.reason === 'deadline',
  },
];

/**
 * A whole program: reads the targets from stdin, makes each attack in a child of its own, and prints `[index, how it
 * went]` for each. A single attack is made by the program itself, so that its limits and its end are its own.
 */
export function programOf(attacks: readonly Attack[]): string {
  const functions = attacks.map((attack, index) => `def attack${index}(t):\n    ${attack.python.trim()}\n`);
  return `
import ctypes, errno, fcntl, json, mmap, os, platform, re, resource, signal, socket, sys, termios, threading, time
libc = ctypes.CDLL(None, use_errno=True)
${functions.join('')}
def make(index, attack):
    try:
        got = attack(targets)
        said = "ESCAPED %r" % (got,) if got else "BLOCKED"
    except (OSError, ValueError, MemoryError) as e:
        said = "BLOCKED %s" % e
    print(json.dumps([index, said]), flush=True)
targets = json.loads(input())
attacks = [${attacks.map((_, index) => `attack${index}`).join(', ')}]
if len(attacks) == 1: make(0, attacks[0])
else:
    for index, attack in enumerate(attacks):
        if os.fork() == 0:
            make(index, attack)
            os._exit(0)
        os.wait()
`;
}
