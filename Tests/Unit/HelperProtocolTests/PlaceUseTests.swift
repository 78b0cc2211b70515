import HelperProtocol
import Testing

/// What helper.conf allows where: the one decision that the helper enforces and the orchestrator explains.
@Suite struct PlaceUseTests {
    private static func root(_ kind: RootKind, _ depths: ClosedRange<UInt8> = 1...2, names: String = "") throws
        -> Welcome.Root
    {
        Welcome.Root(
            kind: kind, minimumDepth: depths.lowerBound, maximumDepth: depths.upperBound,
            path: inline("/run/root"), names: inline(names))
    }

    private static func place(_ depth: Int, _ name: String = "a") throws -> Place {
        try Place(root: 0, components: Array(repeating: Array(name.utf8), count: depth))
    }

    @Test func eachUseHasItsKinds() throws {
        let allowed: [(PlaceUse, Set<RootKind>)] = [
            (.look, Set(RootKind.allCases)), (.remove, [.sandbox, .container, .cgroup]),
            (.unmount, [.sandbox, .container]),
            (.deleteNamespace, [.networkNamespace, .ipcNamespace, .utsNamespace, .userNamespace]), (.signal, [.cgroup]),
        ]
        for (use, kinds) in allowed {
            for kind in RootKind.allCases {
                let refusal = try Self.root(kind, names: "a*").refusal(of: Self.place(1, "ab"), for: use)
                #expect(refusal == (kinds.contains(kind) ? nil : .wrongRootKind), "\(use) in \(kind)")
            }
        }
    }

    @Test func eachUseHasItsDepths() throws {
        let deepest = Limits.components
        let allowed: [(PlaceUse, RootKind, ClosedRange<Int>)] = [
            (.look, .sandbox, 0...deepest), (.remove, .sandbox, 2...3), (.remove, .cgroup, 2...3),
            (.unmount, .container, 2...deepest), (.deleteNamespace, .networkNamespace, 1...1),
            (.signal, .cgroup, 1...deepest),
        ]
        for (use, kind, depths) in allowed {
            let root = try Self.root(kind, 2...3, names: kind.isNamespace ? "a*" : "")
            #expect(root.depths(for: use) == depths)
            for depth in 0...deepest {
                let expected: Rule? = depths.contains(depth) ? nil : .wrongDepth
                #expect(root.refusal(of: try Self.place(depth, "ab"), for: use) == expected, "\(use) at \(depth)")
            }
        }
    }

    @Test func namesAreForPinsAlone() throws {
        let root = try Self.root(.networkNamespace, names: "cni-*")
        #expect(root.refusal(of: try Self.place(1, "cni-1"), for: .deleteNamespace) == nil)
        #expect(root.refusal(of: try Self.place(1, "admin"), for: .deleteNamespace) == .nameNotAllowed)
        #expect(root.refusal(of: try Self.place(1, "admin"), for: .look) == nil)
    }
}
