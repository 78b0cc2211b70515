import TestNode
import TestPods

/// The ids of all histories: names begin like each other.
enum Universe {
    static let containers: [String: [String]] = ["p1": ["c1", "c12"], "p10": ["c10"], "p2": ["c2"]]

    static func isSandbox(_ id: String) -> Bool { containers[id] != nil }

    static func sandbox(of container: String) -> String {
        containers.first { $0.value.contains(container) }?.key ?? ""
    }

    /// Some more often than others, so that much happens to one.
    static func sandbox(_ random: inout Seeded) -> String {
        ["p1", "p1", "p1", "p1", "p10", "p10", "p2"].randomElement(using: &random) ?? "p1"
    }

    static func container(_ random: inout Seeded) -> String {
        ["c1", "c1", "c1", "c1", "c12", "c10", "c10", "c2"].randomElement(using: &random) ?? "c1"
    }

    /// The directory's id of a sandbox or container.
    static func any(_ random: inout Seeded) -> String {
        Bool.random(using: &random) ? sandbox(&random) : container(&random)
    }
}
