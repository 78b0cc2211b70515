public import HelperProtocol
internal import LinuxSystem

/// The roots and runtimes of a helper's policy, and how absolute paths map to them.
///
/// It uses the helper's own decisions, so that refusals are known and explained before any work begins.
public struct RootMap: Sendable {
    private struct Root: Sendable {
        var path: [UInt8]
        var welcome: Welcome.Root
    }

    private let roots: [Root]
    private let runtimes: [Welcome.Runtime]
    private let varRunIsRun: Bool

    /// - Parameter varRunIsRun: Whether `/var/run` is the same as `/run`; nil to check this machine.
    public init(_ welcome: Welcome, varRunIsRun: Bool? = nil) {
        let leads = varRunIsRun ?? VarRun.isRun()
        self.varRunIsRun = leads
        roots = welcome.roots.map { Root(path: Self.canonical($0.path.array, leads), welcome: $0) }
        runtimes = welcome.runtimes
    }

    /// The form of a path that mountinfo and a root's line use: `/run` for `/var/run` if the two are the same.
    public func canonical(_ path: [UInt8]) -> [UInt8] { Self.canonical(path, varRunIsRun) }

    private static func canonical(_ path: [UInt8], _ varRunIsRun: Bool) -> [UInt8] {
        varRunIsRun ? VarRun.canonical(path) : path
    }

    /// The place of an absolute path, in the first of `kinds` that has a root for it; the deepest root is preferred.
    ///
    /// - Throws: `RootError`, which names the path, and the roots where it could lie.
    public func place(_ path: String, for use: PlaceUse, in kinds: [RootKind]) throws(RootError) -> Place {
        try place(Array(path.utf8), for: use, in: kinds)
    }

    /// The same for a path of arbitrary bytes.
    public func place(_ path: [UInt8], for use: PlaceUse, in kinds: [RootKind]) throws(RootError) -> Place {
        let shown = printable(path)
        guard path.first == slash else { throw .notAbsolute(shown) }
        let sought = canonical(path)
        var nearest: RootError?
        for kind in kinds {
            let candidates = roots.enumerated()
                .filter { $0.element.welcome.kind == kind && Self.isRoot($0.element.path, of: sought) }
                .sorted { $0.element.path.count > $1.element.path.count }
            for (index, root) in candidates {
                let place = try Self.place(sought, shown, beneath: root, index: index)
                guard let error = Self.problem(place, shown, root.welcome, use) else { return place }
                nearest = nearest ?? error
            }
        }
        throw nearest ?? .outside(shown, roots: roots.filter { kinds.contains($0.welcome.kind) }.map { describe($0) })
    }

    /// The runtime's index. Throws an error with the known runtimes' names if there is no such runtime.
    public func runtime(named name: String) throws(RootError) -> UInt8 {
        let sought = Array(name.utf8)
        guard let index = runtimes.firstIndex(where: { $0.name.array == sought }) else {
            throw .unknownRuntime(printable(sought), known: runtimes.map { printable($0.name.array) })
        }
        return UInt8(truncatingIfNeeded: index)
    }

    /// The target that names a container of a runtime in a request.
    public func target(_ id: String, runtime name: String) throws(RootError) -> RuntimeTarget {
        let index = try runtime(named: name)
        do throws(Malformed) {
            return RuntimeTarget(runtime: index, id: try ContainerID(Array(id.utf8)))
        } catch {
            throw .invalidContainerID(printable(id))
        }
    }

    /// The cgroup roots, and how deep beneath them the policy lets cgroups be removed.
    public var cgroupRoots: [(path: String, depth: Int)] {
        roots.filter { $0.welcome.kind == .cgroup }
            .map { (String(decoding: $0.path, as: UTF8.self), Int($0.welcome.maximumDepth)) }
    }

    /// Whether a place lies beneath a root; the root itself is no place.
    private static func isRoot(_ root: [UInt8], of path: [UInt8]) -> Bool {
        path.count > root.count && isBeneath(root, path)
    }

    private static func place(
        _ path: [UInt8], _ shown: String, beneath root: Root, index: Int
    ) throws(RootError) -> Place {
        let components = path.dropFirst(root.path.count + 1).split(separator: slash, omittingEmptySubsequences: false)
        guard components.count <= Limits.components else { throw .tooDeep(shown, root: printable(root.path)) }
        do throws(Malformed) {
            return try Place(root: UInt8(truncatingIfNeeded: index), components: components.map { Array($0) })
        } catch {
            throw .notNormalised(shown)
        }
    }

    private static func problem(_ place: Place, _ shown: String, _ root: Welcome.Root, _ use: PlaceUse) -> RootError? {
        let path = printable(root.path.array)
        return switch root.refusal(of: place, for: use) {
        case nil: nil
        case .nameNotAllowed: .nameNotAllowed(shown, root: path, names: printable(root.names.array))
        case .wrongDepth: .wrongDepth(shown, root: path, depth: place.depth, allowed: root.depths(for: use))
        default: .outside(shown, roots: [])
        }
    }

    private func describe(_ root: Root) -> String {
        let path = printable(root.path)
        let names = root.welcome.names.array
        return names.isEmpty ? path : "\(path) (names \(printable(names)))"
    }
}

private let slash = UInt8(ascii: "/")
