/// The hierarchies that this process sees.
public enum Cgroups {
    /// From now on there is nothing but version 2 here, as on a node of today. There is no way back.
    public static func seeVersion2Alone() throws {
        try TestNode.shared()
        if isVersion2Alone { return }
        try shell("umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup")
    }

    public static var isVersion2Alone: Bool { Entry.exists("/sys/fs/cgroup/cgroup.procs") }
    public static var shown: String { isVersion2Alone ? "cgroup version 2" : "this machine's cgroup hierarchies" }
}
