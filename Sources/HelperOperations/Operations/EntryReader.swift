internal import HelperProtocol

/// One entry of a directory, as getdents64(2) gives it.
struct Entry {
    var name: InlineBytes<256>
    /// DT_* of readdir(3). The filesystem may not know it, so it is a hint.
    var type: UInt8
    /// The cookie of the entry behind this one.
    var next: UInt64

    var seemsDirectory: Bool { type == 4 }
}

/// Reads a directory a buffer at a time, so that memory stays bounded however many entries there are.
struct EntryReader {
    /// As much as readdir(3) takes: on ext4 each call costs more than the entries that it gives.
    private var buffer = [UInt8](repeating: 0, count: 32768)
    private var filled = 0
    private var position = 0

    /// The next entry but `.` and `..`; nil at the end.
    mutating func next(_ directory: borrowing Descriptor) throws(Outcome) -> Entry? {
        while true {
            if position == filled {
                filled = try directory.readEntries(into: &buffer)
                position = 0
                if filled == 0 { return nil }
            }
            // struct linux_dirent64: u64 inode, s64 cookie, u16 length, u8 type, name and NUL.
            var next: UInt64 = 0
            for index in 0..<8 { next |= UInt64(buffer[position + 8 + index]) << UInt64(8 * index) }
            let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
            var entry = Entry(name: InlineBytes(), type: buffer[position + 18], next: next)
            var index = position + 19
            while buffer[index] != 0, entry.name.append(buffer[index]) { index += 1 }
            position += length
            if entry.name.isFileName { return entry }
        }
    }

    /// From the beginning again.
    mutating func rewind(_ directory: borrowing Descriptor) throws(Outcome) {
        try directory.seek(to: 0)
        forget()
    }

    /// Drops what was read.
    mutating func forget() {
        filled = 0
        position = 0
    }
}
