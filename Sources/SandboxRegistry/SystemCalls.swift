internal import CSELinux
internal import Glibc

/// The module's only calls into C.
enum SystemCalls {
    /// Whether the name of a file is there, and of which kind.
    enum FileKind { case missing, directory, regular, other }

    static let readOnlyFilesystem = EROFS
    static let accessDenied = EACCES
    static let notPermitted = EPERM

    /// stat(2), following symbolic links.
    static func kind(of path: String) -> FileKind {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .regular
        default: return .other
        }
    }

    /// access(2): nil, or the errno.
    static func refusal(toWrite path: String, search: Bool) -> Int32? {
        unsafe access(path, R_OK | W_OK | (search ? X_OK : 0)) == 0 ? nil : errno
    }

    /// Makes an empty file with mode 0600, or leaves the one that is there: nil, or the errno.
    static func createPrivateFile(_ path: String) -> Int32? {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            return nil
        }
        return errno == EEXIST ? nil : errno
    }

    /// The level of a context by libselinux's context_new(3): nil where the text is no context, empty where the
    /// context has none. libselinux only parses here; SELinux need not be enabled.
    static func level(ofContext text: String) -> String? {
        guard let context = unsafe context_new(text) else { return nil }
        defer { unsafe context_free(context) }
        guard let range = unsafe context_range_get(context) else { return "" }
        return unsafe String(cString: range)
    }
}
