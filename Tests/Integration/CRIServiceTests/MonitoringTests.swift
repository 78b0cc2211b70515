import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What `packaging/monitoring` asks Prometheus for is what a daemon has.
@Suite struct MonitoringTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../../packaging/monitoring"
    ).standardized

    /// Every expression of the dashboard and of the alerts.
    private static func expressions() throws -> [String] {
        let text = try Data(contentsOf: folder.appending(path: "dashboard.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        let asked = panels.flatMap { ($0["targets"] as? [[String: Any]] ?? []).compactMap { $0["expr"] as? String } }
        let alerts = try String(contentsOf: folder.appending(path: "alerts.yaml"), encoding: .utf8)
            .matches(of: /(?m)^ +expr: (.*)$/).map { String($0.1) }
        #expect(asked.count >= panels.count && alerts.count >= 6)
        return asked + alerts
    }

    @Test func everyMetricThatIsAskedForIsThere() throws {
        try withPodNode { node in
            let socket = "\(node.library)/podreap.sock"
            let daemon = try Daemon(
                node,
                settings: """
                    [removal]
                    before-netns = ["/bin/false"]
                    [daemon]
                    socket = "\(socket)"
                    log = "debug"
                    metrics = "127.0.0.1:0"
                    """)
            let pod = try daemon.pod()
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code != "OK")
            let scraped = try daemon.metrics()
            var labels: [String: Set<String>] = [:]
            for line in scraped.split(separator: "\n") where !line.hasPrefix("#") {
                let match = try #require(line.prefixMatch(of: #/([a-z_]+)(?:\{(.*)\})?\s/#), "\(line)")
                let own = match.2.map { $0.matches(of: /([a-z]+)="/).map { String($0.1) } } ?? []
                labels[String(match.1), default: []].formUnion(own)
            }
            for expression in try Self.expressions() {
                let metrics = expression.matches(of: /(podreap_[a-z_]+)(?:\{([^}]*)\})?/)
                #expect(!metrics.isEmpty, "\(expression)")
                for metric in metrics {
                    let known = try #require(labels[String(metric.1)], "\(metric.1) is not in\n\(scraped)")
                    let used = (metric.2 ?? "").matches(of: /([a-z]+)=/).map { String($0.1) }
                    // Prometheus adds it.
                    #expect(Set(used).subtracting(known).isSubset(of: ["instance"]), "\(expression)")
                }
                for grouping in expression.matches(of: /by \(([a-z, ]+)\)/) {
                    let names = grouping.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                    let there = metrics.reduce(into: Set(["instance"])) { $0.formUnion(labels[String($1.1)] ?? []) }
                    #expect(Set(names).isSubset(of: there), "\(expression)")
                }
            }
            #expect(try daemon.end() == .exited(0))
        }
    }
}
