/// What a removal reports while it runs. Events come from several tasks, but in order for each step.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum RemovalEvent: Sendable {
    /// Another process or another call works on the sandbox; this call waits for it to end.
    case waiting(sandbox: String)
    /// The steps that will be carried out. Sent again if a container was registered at the last moment.
    case planned(RemovalPlan)
    case started(Step)
    /// The number of directory entries removed so far.
    case progress(Step, entries: UInt64)
    case finished(Step, StepRecord)
    /// Something that is not a failure but is worth knowing.
    case warning(String)
}
