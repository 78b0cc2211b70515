/// What a removal tells while it runs. Events come from several tasks, one after the other for each step.
public enum RemovalEvent: Sendable {
    /// Another process, or another call, is at it: this one waits for the end of that.
    case waiting(sandbox: String)
    /// What is going to be done. Comes again where a container was registered at the last moment.
    case planned(RemovalPlan)
    case started(Step)
    /// Directory entries removed so far.
    case progress(Step, entries: UInt64)
    case finished(Step, StepRecord)
    /// Something that is no failure but worth knowing.
    case warning(String)
}
