internal import EventLoop

/// Which jobs run, which wait, and which are refused. It only decides; `JobQueue` does what it says.
struct JobSchedule<Job> {
    /// What becomes of a call that asks for a job.
    enum Admission {
        /// The call shares a job that is there already.
        case joins(Job)
        /// The call has a new job, which the caller of `admit` begins now.
        case begins(Job)
        /// The call has a new job, which a later `end` begins.
        case waits(Job)
        /// Too many jobs wait.
        case refused
    }

    private var jobs: [JobQueue.Key: Job] = [:]
    private var waiting = Queue<JobQueue.Key>()
    private var running = 0
    private let atOnce: Int
    private let bound: Int

    /// - Parameters:
    ///   - atOnce: The most jobs that run at once, at least 1.
    ///   - waiting: The most jobs that wait.
    init(atOnce: Int, waiting: Int) {
        self.atOnce = max(1, atOnce)
        bound = self.atOnce + max(0, waiting)
    }

    var isEmpty: Bool { jobs.isEmpty }
    var count: Int { jobs.count }
    var all: [Job] { Array(jobs.values) }

    func ids(of verb: JobQueue.Verb) -> Set<String> {
        Set(jobs.keys.lazy.filter { $0.verb == verb }.map(\.id))
    }

    /// - Parameters:
    ///   - isBounded: false for a job that must be done even if too many jobs wait.
    ///   - make: Makes the job if there is none with this key.
    mutating func admit(_ key: JobQueue.Key, isBounded: Bool, make: () -> Job) -> Admission {
        if let job = jobs[key] { return .joins(job) }
        if isBounded, jobs.count >= bound { return .refused }
        let job = make()
        jobs[key] = job
        guard running < atOnce else {
            waiting.append(key)
            return .waits(job)
        }
        running += 1
        return .begins(job)
    }

    /// Ends the work of a running job, which calls can join until it is forgotten. Returns the job that begins in its
    /// place: the one that has waited the longest.
    mutating func end() -> Job? {
        if let next = waiting.popFirst() { return jobs[next] }
        running -= 1
        return nil
    }

    /// Forgets a job whose work has ended: the next call for its key gets a new one.
    mutating func forget(_ key: JobQueue.Key) { jobs[key] = nil }
}
