internal import HelperProtocol

/// One directory entry from getdents64(2). Its reader holds the name.
struct Entry {
    /// The entry's position in its reader's buffer.
    fileprivate var position: Int
    /// The name's length in bytes.
    fileprivate var nameCount: Int
    /// DT_* of readdir(3). It is only a hint, because the filesystem may not know the type.
    var type: UInt8
    /// The cookie of the entry after this one.
    var next: UInt64

    var seemsDirectory: Bool { type == 4 }
}

/// Reads a directory a buffer at a time, so that memory stays bounded however many entries there are.
struct EntryReader {
    /// The size that readdir(3) uses, in bytes. On ext4 each call costs more than the entries that it returns.
    private static var usual: Int { 1 << 15 }
    private static var large: Int { 1 << 20 }
    /// The least and most bytes that an entry takes: its head, a name of 1 to 255 bytes, the NUL, and padding.
    private static var leastEntry: Int { 24 }
    private static var mostEntry: Int { 280 }

    /// The entries that were read. Those in a large buffer are returned in inode order.
    private var buffer: [UInt8]
    private var filled = 0
    /// One number for each entry in the buffer: its position in the low bits, and low bits of its inode above.
    private var order: [UInt64] = []
    /// How many entries of `order` were returned.
    private var given = 0

    /// - Parameter large: Whether to read 1 MiB at once and return the entries in inode order. On ext4, which lists
    ///   names in hash order, this removes a large directory in four fifths of the time.
    init(large: Bool = false) {
        buffer = [UInt8](repeating: 0, count: large ? Self.large : Self.usual)
        order.reserveCapacity(buffer.count / Self.leastEntry)
    }

    var isLarge: Bool { buffer.count > Self.usual }

    /// Whether all entries in the buffer were returned, and the directory probably has more.
    var isTooSmall: Bool { given == order.count && filled > Self.usual - Self.mostEntry && !isLarge }

    /// The next entry except `.` and `..`; nil at the end. It is valid until the next call.
    mutating func next(_ directory: borrowing Descriptor) throws(Outcome) -> Entry? {
        while true {
            if given == order.count {
                try fill(directory)
                if filled == 0 { return nil }
            }
            given += 1
            if let entry = entry(at: Int(order[given - 1] & UInt64(Self.large - 1))) { return entry }
        }
    }

    /// An entry's name with its terminating NUL, as a system call takes it.
    @_lifetime(borrow self)
    func terminatedName(of entry: Entry) -> Span<UInt8> {
        buffer.span.extracting((entry.position + 19)..<(entry.position + 20 + entry.nameCount))
    }

    func name(of entry: Entry) -> InlineBytes<256> {
        var name = InlineBytes<256>()
        for index in 0..<entry.nameCount { _ = name.append(buffer[entry.position + 19 + index]) }
        return name
    }

    /// Starts again from the directory's first entry.
    mutating func rewind(_ directory: borrowing Descriptor) throws(Outcome) {
        try directory.seek(to: 0)
        forget()
    }

    /// Discards the entries in the buffer.
    mutating func forget() {
        filled = 0
        order.removeAll(keepingCapacity: true)
        given = 0
    }

    private mutating func fill(_ directory: borrowing Descriptor) throws(Outcome) {
        forget()
        while filled <= buffer.count - Self.usual {
            let count = try directory.readEntries(into: &buffer, from: filled)
            if count == 0 { break }
            filled += count
        }
        // struct linux_dirent64: u64 inode, s64 cookie, u16 length, u8 type, then the name and a NUL.
        var position = 0
        while position < filled {
            order.append(number(at: position) &* UInt64(Self.large) | UInt64(position))
            position += Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
        }
        if isLarge { sort() }
    }

    /// Heapsort, because the standard library's sort allocates memory.
    private mutating func sort() {
        for start in (0..<order.count / 2).reversed() { sink(start, in: order.count) }
        for end in (0..<order.count).reversed() {
            order.swapAt(0, end)
            sink(0, in: end)
        }
    }

    private mutating func sink(_ start: Int, in count: Int) {
        var parent = start
        while 2 * parent + 1 < count {
            var child = 2 * parent + 1
            if child + 1 < count, order[child] < order[child + 1] { child += 1 }
            if order[parent] >= order[child] { return }
            order.swapAt(parent, child)
            parent = child
        }
    }

    private func number(at start: Int) -> UInt64 {
        var number: UInt64 = 0
        for index in 0..<8 { number |= UInt64(buffer[start + index]) << UInt64(8 * index) }
        return number
    }

    private func entry(at start: Int) -> Entry? {
        let name = start + 19
        var end = name
        while buffer[end] != 0 {
            // No kernel passes on a name with a slash; unlinkat(2) would follow it out of the directory.
            if buffer[end] == 0x2f { return nil }
            end += 1
        }
        let count = end - name
        let isDots = count < 3 && buffer[name] == 0x2e && (count == 1 || buffer[name + 1] == 0x2e)
        if count == 0 || isDots { return nil }
        return Entry(position: start, nameCount: count, type: buffer[start + 18], next: number(at: start + 8))
    }
}
