/// Where a request acts: one of the roots in the helper's policy, and the components beneath it.
///
/// No absolute path travels in a request, so the wire cannot express a place outside a root.
public struct Place: Sendable, Equatable {
    /// The root's index in `Welcome.roots`.
    public let root: UInt8
    /// The number of components; 0 is the root itself, which can only be looked at.
    public private(set) var depth = 0
    /// All components but the last, joined with `/`; empty where there is one component or none.
    public private(set) var parent = InlineBytes<4096>()
    /// The last component.
    public private(set) var name = InlineBytes<256>()

    /// All components, joined with `/`.
    public var names: [UInt8] { depth > 1 ? parent.array + [slash] + name.array : name.array }

    /// The root itself.
    public init(root: UInt8) { self.root = root }

    /// Throws `.badPlace` if there are more than 16 components or they do not fit, and `.badComponent` if one is not a
    /// file name.
    public init(root: UInt8, components: [[UInt8]]) throws(Malformed) {
        self.root = root
        for component in components { try append(component) }
    }

    /// Adds a component of 1 to 255 bytes, without `/` and NUL, and neither `.` nor `..`.
    public mutating func append(_ component: [UInt8]) throws(Malformed) {
        guard component.count <= Limits.componentBytes else { throw .badComponent }
        var bytes = InlineBytes<256>()
        for byte in component { _ = bytes.append(byte) }
        try append(bytes)
    }

    mutating func append(_ component: InlineBytes<256>) throws(Malformed) {
        guard depth < Limits.components else { throw .badPlace }
        guard component.isFileName else { throw .badComponent }
        if depth > 0 {
            if depth > 1 { guard parent.append(slash) else { throw .badPlace } }
            for index in 0..<name.count { guard parent.append(name[index]) else { throw .badPlace } }
        }
        name = component
        depth += 1
    }
}

/// A container's id: 1 to 128 of `A-Z a-z 0-9 _ . + -`, the first a letter, a digit or `_`, so that no
/// runtime can take it for an option, a path or a hidden entry.
public struct ContainerID: Sendable, Equatable {
    public let bytes: InlineBytes<129>

    public init(_ bytes: InlineBytes<129>) throws(Malformed) {
        guard bytes.count > 0 else { throw .badContainerID }
        for index in 0..<bytes.count {
            switch bytes[index] {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: continue
            case 0x2b, 0x2d, 0x2e: guard index > 0 else { throw .badContainerID }
            default: throw .badContainerID
            }
        }
        self.bytes = bytes
    }

    public init(_ bytes: [UInt8]) throws(Malformed) {
        var inline = InlineBytes<129>()
        for byte in bytes { guard inline.append(byte) else { throw .badContainerID } }
        try self.init(inline)
    }
}

var slash: UInt8 { 0x2f }

extension InlineBytes {
    /// Whether this is the name of one directory entry: not empty, not `.` or `..`, and without `/` and NUL.
    public var isFileName: Bool {
        guard count > 0, count <= Limits.componentBytes else { return false }
        var dots = 0
        let bytes = span
        for index in 0..<count {
            if bytes[index] == slash || bytes[index] == 0 { return false }
            if bytes[index] == 0x2e { dots += 1 }
        }
        return !(dots == count && count <= 2)
    }
}
