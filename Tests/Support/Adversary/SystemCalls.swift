// The only file here that touches C.

import CLinux
import Foundation

struct FileStatus {
    fileprivate let found: linux_status
    private var type: UInt32 { found.mode & 0o170000 }
    var isDirectory: Bool { type == 0o040000 }
    var isRegular: Bool { type == 0o100000 }
    var isLink: Bool { type == 0o120000 }
    var device: UInt64 { found.device }
    var inode: UInt64 { found.inode }
    var birth: UInt64 { found.birth }
    var mountID: UInt64 { found.mountID }
    var mountIDIsUnique: Bool { found.mountIDUnique != 0 }
    /// A directory's size is the filesystem's affair.
    var text: String {
        "\(found.device) \(found.inode) \(found.mode) \(found.uid) \(found.gid) \(isDirectory ? 0 : found.size) "
            + "\(found.mountID) \(found.isMountRoot)"
    }
}

func status(of path: String, follow: Bool) -> FileStatus? {
    var found = linux_status()
    if follow {
        let file = unsafe linux_open(path, LINUX_O_PATH)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return unsafe linux_statx(file, "", LINUX_AT_EMPTY_PATH, 0, &found) == 0 ? FileStatus(found: found) : nil
    }
    return unsafe linux_statx(AT_FDCWD, path, 0, 0, &found) == 0 ? FileStatus(found: found) : nil
}

/// A file's bytes as text; empty where it cannot be read.
func text(_ path: String) -> String {
    let file = unsafe linux_open(path, O_RDONLY | O_NONBLOCK)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(file, &buffer, buffer.count)
        guard count > 0 else { return String(decoding: all, as: UTF8.self) }
        all += buffer[..<count]
    }
}

func entries(of path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func linkTarget(_ path: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
}

func exists(_ path: String) -> Bool { status(of: path, follow: false) != nil }
func makeDirectory(_ path: String) { _ = unsafe mkdir(path, 0o755) }
func makeFIFO(_ path: String) { _ = unsafe mkfifo(path, 0o600) }
func makeLink(_ path: String, to target: String) { _ = unsafe symlink(target, path) }
func makeHardLink(_ path: String, to target: String) { _ = unsafe link(target, path) }

func makeFile(_ path: String, _ text: String = "", mode: UInt32 = 0o644) {
    let file = unsafe creat(path, mode)
    guard file >= 0 else { return }
    _ = unsafe text.withCString { unsafe write(file, $0, text.utf8.count) }
    close(file)
}

/// Mounts where nothing is mounted yet.
func makeMount(_ point: String, type: String? = nil, source: String, flags: Int32 = 0, options: String? = nil) {
    if isMountPoint(point) { return }
    if let type {
        _ = unsafe mount(source, point, type, UInt(flags), options)
    } else {
        _ = unsafe mount(source, point, nil, UInt(Int32(MS_BIND) | flags), nil)
    }
}

let recursively = Int32(MS_REC)

func isMountPoint(_ path: String) -> Bool {
    var found = linux_status()
    return unsafe linux_statx(AT_FDCWD, path, 0, 1, &found) == 0 && found.isMountRoot != 0
}

func now() -> Double { Double(linux_monotonic_milliseconds()) / 1000 }

/// Prints a line that is seen at once, wherever it goes.
func say(_ text: String) {
    let line = text + "\n"
    _ = unsafe line.withCString { unsafe write(1, $0, line.utf8.count) }
}
