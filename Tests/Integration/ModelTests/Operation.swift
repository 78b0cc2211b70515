import TestNode
import TestPods

/// One step of a history. What it needs is chosen when it is made, so that the same step can be done again in a shorter history.
struct Operation: Sendable {
    /// For statistics.
    let name: String
    let isPossible: @Sendable (World) -> Bool
    let run: @Sendable (World) throws -> Void

    init(
        _ name: String, if isPossible: @escaping @Sendable (World) -> Bool = { _ in true },
        _ run: @escaping @Sendable (World) throws -> Void
    ) {
        self.name = name
        self.isPossible = isPossible
        self.run = run
    }
}

/// A kind of step, and how often it is chosen.
struct OperationKind: Sendable {
    let weight: Int
    let make: @Sendable (inout Seeded) -> Operation

    init(_ weight: Int, _ make: @escaping @Sendable (inout Seeded) -> Operation) {
        self.weight = weight
        self.make = make
    }

    /// One of each sandbox.
    static func ofSandbox(_ weight: Int, _ make: @escaping @Sendable (String) -> Operation) -> OperationKind {
        OperationKind(weight) { make(Universe.sandbox(&$0)) }
    }

    static func ofContainer(_ weight: Int, _ make: @escaping @Sendable (String) -> Operation) -> OperationKind {
        OperationKind(weight) { make(Universe.container(&$0)) }
    }

    static func ofEither(_ weight: Int, _ make: @escaping @Sendable (String) -> Operation) -> OperationKind {
        OperationKind(weight) { make(Universe.any(&$0)) }
    }
}

extension [OperationKind] {
    func choose(_ random: inout Seeded) -> Operation {
        var rest = Int.random(in: 0..<reduce(0) { $0 + $1.weight }, using: &random)
        for kind in self {
            rest -= kind.weight
            if rest < 0 { return kind.make(&random) }
        }
        return self[0].make(&random)
    }
}
