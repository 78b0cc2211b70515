// The only file here that touches C.

import CLinux
import Foundation

/// Quick ways to make small files: the tree is made again after every removal.
enum Files {
    static func makeDirectory(_ path: String) { _ = unsafe mkdir(path, 0o755) }
    static func link(_ path: String, to target: String) { _ = unsafe symlink(target, path) }
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    static func write(_ text: String, to path: String) {
        let file = unsafe creat(path, 0o644)
        precondition(file >= 0, path)
        _ = unsafe text.withCString { unsafe Foundation.write(file, $0, text.utf8.count) }
        close(file)
    }
}

/// Two connected SOCK_SEQPACKET sockets, as numbers.
func socketPair() -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    precondition(unsafe linux_socket_pair(&ends) == 0)
    return (ends[0], ends[1])
}
