internal import CoreMetrics
internal import Logging
internal import SandboxRegistry
internal import SandboxRemoval

/// Logs jobs, and counts them for the metrics.
struct JobLog: JobObserver {
    let logger: Logger

    func began(_ key: JobQueue.Key) {
        Meter(label: "podreap_works_under_way").increment()
        logger.debug("began", metadata: metadata(key))
    }

    func saw(_ event: RemovalEvent, _ key: JobQueue.Key) {
        switch event {
        case .finished(let step, let record):
            Recorder(label: "podreap_step_duration_seconds", dimensions: [("step", step.verb)])
                .record(record.duration.inSeconds)
            if record.outcome == .failed {
                count("podreap_failed_steps_total", [("step", step.verb)])
                logger.error(
                    "step failed: \(step)",
                    metadata: metadata(key).merging(
                        ["step": "\(step.verb)", "target": "\(step.target)", "reason": "\(record.detail ?? "")"]
                    ) { $1 })
            }
        case .warning(let text): logger.warning("\(text)", metadata: metadata(key))
        case .waiting:
            count("podreap_waits_total", [])
            logger.info("another process works on it: waiting for its end", metadata: metadata(key))
        default: break
        }
    }

    func ended(_ key: JobQueue.Key, _ answer: RemovalJob.Answer) {
        Meter(label: "podreap_works_under_way").decrement()
        var metadata = metadata(key)
        switch answer {
        case .failure(let error):
            count("podreap_works_total", [("verb", key.verb.rawValue), ("outcome", "refused")])
            metadata["reason"] = "\(error)"
            logger.error("could not begin", metadata: metadata)
        case .success(.unknown):
            count("podreap_works_total", [("verb", key.verb.rawValue), ("outcome", "unknown")])
            logger.info("nothing to do: another call was first", metadata: metadata)
        case .success(.finished(let report, let joined)):
            let outcome = joined ? "joined" : report.outcome.rawValue
            count("podreap_works_total", [("verb", key.verb.rawValue), ("outcome", outcome)])
            if !joined {
                Recorder(label: "podreap_work_duration_seconds", dimensions: [("verb", key.verb.rawValue)])
                    .record(report.duration.inSeconds)
            }
            metadata["pod"] = "\(report.pod)"
            metadata["outcome"] = "\(outcome)"
            metadata["seconds"] = "\((report.duration.inMilliseconds).rounded() / 1000)"
            logger.log(level: report.outcome == .incomplete ? .error : .info, "ended", metadata: metadata)
        }
    }

    private func count(_ label: String, _ dimensions: [(String, String)]) {
        Counter(label: label, dimensions: dimensions).increment()
    }

    private func metadata(_ key: JobQueue.Key) -> Logger.Metadata {
        ["verb": "\(key.verb.rawValue)", "id": "\(key.id)"]
    }
}
