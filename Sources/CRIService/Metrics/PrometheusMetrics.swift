public import CoreMetrics
internal import Synchronization

/// Keeps metrics, and writes them in Prometheus's text format 0.0.4. No metric is ever dropped: labels come from fixed
/// sets, so their number is bounded.
public final class PrometheusMetrics: MetricsFactory, Sendable {
    fileprivate struct Key: Hashable, Sendable {
        var name: String
        /// `{a="b",c="d"}`, or empty.
        var labels: String

        init(_ name: String, _ dimensions: [(String, String)]) {
            self.name = name
            let pairs = dimensions.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
            labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
        }

        private static func escaped(_ value: String) -> String {
            value.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
        }

        func with(_ label: String) -> String { labels.isEmpty ? "{\(label)}" : "\(labels.dropLast()),\(label)}" }
    }

    fileprivate enum Value: Sendable {
        case counter(Double)
        case gauge(Double)
        /// The count in each bucket, not cumulative; the last bucket is for values above all bounds.
        case histogram(counts: [UInt64], sum: Double)
    }

    /// The upper bounds of the buckets in seconds. A removal takes from some milliseconds to minutes.
    private static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

    private let values: Mutex<[Key: Value]>
    private let help: [String: String]
    /// Those without labels are there from the start: what appears with its first event has no increase by it.
    private static let counters = [
        "podreap_refused_peers_total", "podreap_resumed_total", "podreap_retries_total", "podreap_waits_total",
    ]

    /// - Parameter help: The help text of each metric, by name.
    public init(help: [String: String] = PrometheusMetrics.help) {
        self.help = help
        var values = Dictionary(uniqueKeysWithValues: Self.counters.map { (Key($0, []), Value.counter(0)) })
        values[Key("podreap_works_under_way", [])] = .gauge(0)
        self.values = Mutex(values)
    }

    /// The help texts of the daemon's own metrics.
    public static let help = [
        "podreap_works_total": "Removals and stops that ended, by what they were and how they ended.",
        "podreap_work_duration_seconds": "How long removals and stops took.",
        "podreap_works_under_way": "Removals and stops that run now.",
        "podreap_step_duration_seconds": "How long each kind of step took.",
        "podreap_failed_steps_total": "Steps that failed; the next call tries them again.",
        "podreap_waits_total": "Removals and stops that waited for another process that was at it.",
        "podreap_resumed_total": "Removals that an earlier daemon had not finished.",
        "podreap_calls_total": "gRPC calls by method and code.",
        "podreap_call_duration_seconds": "How long gRPC calls took.",
        "podreap_refused_peers_total": "Connections that were closed because of who made them.",
        "podreap_leaks_found_total": "Left-overs of unknown pods that garbage collection found, each time it looked.",
        "podreap_helpers_started":
            "Helpers started since the daemon was; more than its pool has: some had to be replaced.",
        "podreap_retries_total": "Removals that began with what an earlier one had left.",
        "podreap_sandboxes": "Registered sandboxes by state.",
        "podreap_stuck_sandboxes":
            "Sandboxes whose removal was begun, is not finished, and is not under way in this daemon.",
    ]

    /// Sets a gauge.
    public func set(_ name: String, _ dimensions: [(String, String)] = [], _ value: Double) {
        values.withLock { $0[Key(name, dimensions)] = .gauge(value) }
    }

    fileprivate func add(_ key: Key, _ amount: Double) {
        values.withLock { values in
            if case .counter(let old)? = values[key] {
                values[key] = .counter(old + amount)
            } else {
                values[key] = .counter(amount)
            }
        }
    }

    fileprivate func change(_ key: Key, _ change: (Double) -> Double) {
        values.withLock { values in
            if case .gauge(let old)? = values[key] {
                values[key] = .gauge(change(old))
            } else {
                values[key] = .gauge(change(0))
            }
        }
    }

    fileprivate func observe(_ key: Key, _ value: Double) {
        let bucket = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        values.withLock { values in
            guard case .histogram(var counts, let sum)? = values[key] else {
                var counts = [UInt64](repeating: 0, count: Self.bounds.count + 1)
                counts[bucket] = 1
                values[key] = .histogram(counts: counts, sum: value)
                return
            }
            // The stored value is removed first: without a second reference, the array is changed in place.
            values[key] = nil
            counts[bucket] += 1
            values[key] = .histogram(counts: counts, sum: sum + value)
        }
    }

    /// The text of all metrics, sorted by name.
    public func text() -> String {
        let all = values.withLock { $0 }.sorted { ($0.key.name, $0.key.labels) < ($1.key.name, $1.key.labels) }
        var text = ""
        var last = ""
        for (key, value) in all {
            if key.name != last {
                last = key.name
                if let help = help[key.name] { text += "# HELP \(key.name) \(help)\n" }
                text += "# TYPE \(key.name) \(Self.type(value))\n"
            }
            text += Self.lines(key, value)
        }
        return text
    }

    private static func type(_ value: Value) -> String {
        switch value {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    private static func lines(_ key: Key, _ value: Value) -> String {
        switch value {
        case .counter(let number), .gauge(let number): return "\(key.name)\(key.labels) \(number)\n"
        case .histogram(let counts, let sum):
            var text = ""
            var total: UInt64 = 0
            for (bound, count) in zip(bounds.map { "\($0)" } + ["+Inf"], counts) {
                total += count
                text += "\(key.name)_bucket\(key.with("le=\"\(bound)\"")) \(total)\n"
            }
            return text + "\(key.name)_sum\(key.labels) \(sum)\n\(key.name)_count\(key.labels) \(total)\n"
        }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        Instrument(self, Key(label, dimensions))
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler { Instrument(self, Key(label, dimensions)) }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        Instrument(self, Key(label, dimensions))
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        Instrument(self, Key(label, dimensions))
    }

    // An instrument is only a name: destroying it keeps the value of its metric.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private final class Instrument: CounterHandler, RecorderHandler, MeterHandler, TimerHandler, Sendable {
        private let metrics: PrometheusMetrics
        private let key: Key

        init(_ metrics: PrometheusMetrics, _ key: Key) {
            self.metrics = metrics
            self.key = key
        }

        func increment(by amount: Int64) { metrics.add(key, Double(amount)) }
        func reset() { metrics.values.withLock { $0[key] = nil } }
        func record(_ value: Int64) { metrics.observe(key, Double(value)) }
        func record(_ value: Double) { metrics.observe(key, value) }
        func recordNanoseconds(_ duration: Int64) { metrics.observe(key, Double(duration) / 1e9) }
        func set(_ value: Int64) { metrics.change(key) { _ in Double(value) } }
        func set(_ value: Double) { metrics.change(key) { _ in value } }
        func increment(by amount: Double) { metrics.change(key) { $0 + amount } }
        func decrement(by amount: Double) { metrics.change(key) { $0 - amount } }
    }
}
