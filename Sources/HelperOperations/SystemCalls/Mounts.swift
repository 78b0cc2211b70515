internal import CLinux
internal import HelperProtocol

extension Descriptor {
    /// Detaches the topmost mount at an entry of this directory, with everything beneath it (umount2(2) with
    /// MNT_DETACH). This directory is the working directory meanwhile, so that the entry is a single name: no path, no
    /// race. The mounts are made private first: detaching shared mounts would also detach their peers, wherever those
    /// are.
    func unmount(_ name: Span<UInt8>) throws(Outcome) {
        let isPrivate = unsafe name.withUnsafeBufferPointer { unsafe linux_make_private(raw, $0.baseAddress) }
        if isPrivate == -ENOSYS { throw .refused(.kernelTooOld) }
        try check(isPrivate, .umount)
        try check(linux_fchdir(raw), .fchdir)
        let result = unsafe name.withUnsafeBufferPointer { unsafe linux_umount2($0.baseAddress, LINUX_UNMOUNT_FLAGS) }
        changeToRoot()
        try check(result, .umount)
    }

    /// This directory in a copy of its mount, where nothing is mounted beneath it and which is seen nowhere (open_tree(2));
    /// nil if the kernel cannot make one.
    func copyWithoutMounts() -> Descriptor? {
        let copy = linux_copy_mount(raw)
        return copy < 0 ? nil : Descriptor(owning: copy)
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

    /// The kind of namespace that the open file is (ioctl_ns(2), NS_GET_NSTYPE); nil if there is no root for that kind.
    func namespaceKind() throws(Outcome) -> RootKind? {
        switch try check(linux_namespace_type(raw), .namespaceType) {
        case LINUX_CLONE_NEWNET: .networkNamespace
        case LINUX_CLONE_NEWIPC: .ipcNamespace
        case LINUX_CLONE_NEWUTS: .utsNamespace
        case LINUX_CLONE_NEWUSER: .userNamespace
        default: nil
        }
    }
}

/// Makes `/` the working directory outside an unmount, so that this process keeps no mount busy.
func changeToRoot() {
    let path: StaticString = "/"
    _ = unsafe linux_chdir(path.utf8Start)
}
