internal import CLinux
internal import HelperProtocol

extension Descriptor {
    /// Detaches the topmost mount at an entry of this directory, with all beneath it (umount2(2) with MNT_DETACH).
    /// The working directory is this one meanwhile, so that the entry is a single name: no path, no race.
    /// What is detached is private first: detaching shared mounts beneath it would detach their peers, wherever they are.
    func unmount(_ name: Span<UInt8>) throws(Outcome) {
        let isPrivate = unsafe name.withUnsafeBufferPointer { unsafe linux_make_private(raw, $0.baseAddress) }
        if isPrivate == -ENOSYS { throw .refused(.kernelTooOld) }
        try check(isPrivate, .umount)
        try check(linux_fchdir(raw), .fchdir)
        let result = unsafe name.withUnsafeBufferPointer { unsafe linux_umount2($0.baseAddress, LINUX_UNMOUNT_FLAGS) }
        changeToRoot()
        try check(result, .umount)
    }

    /// Whether the open file is a namespace (fstatfs(2)).
    func isNamespace() throws(Outcome) -> Bool {
        try check(linux_filesystem_type(raw), .fstatfs) == LINUX_NSFS_MAGIC
    }

    /// Whether the open directory is a cgroup's, of either version.
    func isCgroup() throws(Outcome) -> Bool {
        let type = try check(linux_filesystem_type(raw), .fstatfs)
        return type == LINUX_CGROUP_MAGIC || type == LINUX_CGROUP2_MAGIC
    }

    /// Which kind of namespace the open file is (ioctl_ns(2), NS_GET_NSTYPE); nil for a kind no root is for.
    func namespaceKind() throws(Outcome) -> RootKind? {
        switch try check(linux_namespace_type(raw), .namespaceType) {
        case LINUX_CLONE_NEWNET: .networkNamespace
        case LINUX_CLONE_NEWIPC: .ipcNamespace
        case LINUX_CLONE_NEWUTS: .utsNamespace
        default: nil
        }
    }
}

/// The working directory outside an unmount: one that holds nothing busy.
func changeToRoot() {
    let path: StaticString = "/"
    _ = unsafe linux_chdir(path.utf8Start)
}
