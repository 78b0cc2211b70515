import TestNode

/// Something on the node that a removal may or may not touch, with what tells it from another of that name.
enum Thing: Hashable, CustomStringConvertible {
    case process(pid: Int32, startTime: UInt64)
    /// The id is the mount's own until it is unmounted; `source` is what it shows.
    case mount(id: Int, point: String, source: String)
    /// A file or directory as it lies in its filesystem, whatever is mounted over it.
    case entry(path: String, inode: UInt64, birth: UInt64)
    case cgroup(path: String, inode: UInt64)

    /// Where it is; of a process, nil.
    var path: String? {
        switch self {
        case .process: nil
        case .mount(_, let point, _): point
        case .entry(let path, _, _), .cgroup(let path, _): path
        }
    }

    var isProcess: Bool { if case .process = self { true } else { false } }
    var isEntry: Bool { if case .entry = self { true } else { false } }
    var isMount: Bool { if case .mount = self { true } else { false } }
    var isCgroup: Bool { if case .cgroup = self { true } else { false } }
    /// Of a pinned namespace.
    var isNamespace: Bool { if case .mount(_, _, let source) = self { source.hasPrefix("net:[") } else { false } }

    var description: String {
        switch self {
        case .process(let pid, _): "process \(pid)"
        case .mount(_, let point, let source): "mount \(point) (\(source))"
        case .entry(let path, let inode, _): "entry \(path) (inode \(inode))"
        case .cgroup(let path, let inode): "cgroup \(path) (inode \(inode))"
        }
    }
}

/// Whose a thing is: what one making of a sandbox, a container or a pin has.
struct Owner: Hashable, CustomStringConvertible {
    /// Such as `c1#2`, the second container that was made under the id c1.
    var making: String
    /// Of what lives in memory: the boot in which it began.
    var boot: Int?

    /// Nobody's of the pods.
    static let others = Owner(making: "others")
    /// Nobody can say whose, so it may stay or go.
    static let either = Owner(making: "either")

    /// Of a cgroup above the making's, which its runtime makes on the way and leaves: nobody's alone, and nobody has to remove it.
    var above: Owner { Owner(making: making + Self.beneath, boot: boot) }
    var isAbove: Bool { making.hasSuffix(Self.beneath) }
    private static let beneath = " beneath"

    /// As it stands in a process's environment.
    var mark: String { "\(Seen.mark)\(description)" }
    var description: String { boot.map { "\(making)@\($0)" } ?? making }

    init(making: String, boot: Int? = nil) {
        self.making = making
        self.boot = boot
    }

    init(mark: Substring) {
        let parts = mark.split(separator: "@")
        self.init(making: parts.first.map(String.init) ?? "", boot: parts.count > 1 ? Int(parts[1]) : nil)
    }
}

extension String {
    /// Whether this is `directory` or lies beneath it.
    func isBeneath(_ directory: String) -> Bool { self == directory || hasPrefix("\(directory)/") }

    /// The directory that holds it.
    var parent: String { String(self[..<(lastIndex(of: "/") ?? startIndex)]) }
    var lastComponent: String { String(self[(lastIndex(of: "/").map(index(after:)) ?? startIndex)...]) }
}
