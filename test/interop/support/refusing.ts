/** A script of Python that runs a program to which bpf(2) says no, by seccomp(2): for a command, or for all (-1), with an errno. */
export const refusing: string = `
import ctypes, os, platform, struct, sys
number = 280 if platform.machine() == 'aarch64' else 321
command, errno = int(sys.argv[1]), int(sys.argv[2])
code = [(0x20, 0, 0, 0), (0x15, 0, 3 if command >= 0 else 1, number)]
if command >= 0: code += [(0x20, 0, 0, 16), (0x15, 0, 1, command)]
code += [(6, 0, 0, 0x50000 | errno), (6, 0, 0, 0x7fff0000)]
filters = b''.join(struct.pack('<HBBI', *one) for one in code)
buffer = ctypes.create_string_buffer(filters)
program = struct.pack('<HxxxxxxQ', len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program): sys.exit('seccomp: %d' % ctypes.get_errno())
os.execvp(sys.argv[3], sys.argv[3:])
`;
