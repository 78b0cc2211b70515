import Foundation
import Ownership
import Testing

/// Directories of several users, made by root.
private final class Place {
    let path = "/tmp/podreap-ownership-\(UUID().uuidString)"

    init() throws { try make("") }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func make(_ name: String, user: Int = 0, group: Int = 0, mode: Int = 0o755) throws -> String {
        let made = name.isEmpty ? path : "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: true)
        try FileManager.default.setAttributes(
            [.ownerAccountID: user, .groupOwnerAccountID: group, .posixPermissions: mode], ofItemAtPath: made)
        return made
    }

    func link(_ name: String, to target: String) throws -> String {
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
        return "\(path)/\(name)"
    }
}

@Suite struct PathTrustTests {
    private let place: Place
    init() throws { place = try Place() }

    private func weakness(_ path: String, besides user: UInt32 = 0) throws -> String? {
        let trust = PathTrust.of(path)
        try #require(trust.end != nil)
        return trust.weakness(besides: user)
    }

    @Test func rootsOwn() throws {
        // In /tmp, which is sticky and everybody's: an entry of root's stays where it is.
        let made = try place.make("a/b")
        #expect(try weakness(made) == nil)
        #expect(try weakness(try place.link("link", to: "a/../a/./b")) == nil)
        #expect(try weakness(try place.link("far", to: "\(place.path)/link")) == nil)
        #expect(PathTrust.of(made).end?.user == 0)
        // Nobody but root can make it.
        for path in ["\(place.path)/none", "\(place.path)/none/file", ""] {
            #expect(PathTrust.of(path).end == nil && PathTrust.of(path).weakness() == nil)
        }
    }

    @Test func anotherUsersDirectoryOnTheWay() throws {
        try place.make("his", user: 61234)
        let inHis = try place.make("his/roots")
        #expect(try weakness(inHis) == "\(place.path)/his can be replaced by the user 61234")
        // He may decide on what is his, and nobody else.
        #expect(try weakness(inHis, besides: 61234) == nil)
        #expect(try weakness(inHis, besides: 61235) != nil)
        #expect(try weakness("\(place.path)/his", besides: 61234) == nil)
        #expect(try weakness("\(place.path)/his") == "\(place.path)/his belongs to the user 61234")
        let third = try place.make("his/third", user: 61235)
        #expect(try weakness(third, besides: 61235) == "\(place.path)/his can be replaced by the user 61234")
    }

    /// A link is as strong as the directory in which it lies, and as those on its way.
    @Test func linksOfOthers() throws {
        try place.make("his", user: 61234)
        let roots = try place.make("roots")
        let link = try place.link("his/link", to: roots)
        #expect(try weakness(link) == "\(place.path)/his can be replaced by the user 61234")
        #expect(try weakness(try place.link("over", to: link)) != nil)
        // He has no power over his directory's own place.
        #expect(try weakness(try place.link("through", to: "his/../roots")) == nil)
        // In a sticky directory his link is his.
        try place.make("open", mode: 0o1777)
        _ = try place.link("open/link", to: roots)
        #expect(try weakness("\(place.path)/open/link") == nil)
        let given = unsafe lchown("\(place.path)/open/link", 61234, 61234)
        #expect(given == 0)
        #expect(try weakness("\(place.path)/open/link") == "\(place.path)/open/link can be replaced by the user 61234")
    }

    /// A registry's directory is that of the file which a link at its path leads to, or would.
    @Test func directoriesBehindLinks() throws {
        func directory(_ path: String, _ followsLink: Bool = true) -> PathTrust {
            PathTrust.ofDirectory(holding: path, followsLink: followsLink)
        }
        let his = try place.make("his", user: 61234)
        #expect(directory("\(his)/none").end?.user == 61234)
        #expect(directory("\(his)/none").weakness(besides: 61234) == nil)
        let file = "\(his)/file"
        #expect(FileManager.default.createFile(atPath: file, contents: Data()))
        #expect(directory(file).weakness(besides: 61234) == nil)
        for target in [file, "\(his)/none"] {
            let link = try place.link("link-\(UUID().uuidString)", to: target)
            #expect(directory(link).end?.user == 61234)
            #expect(directory(link).weakness(besides: 61234) == nil)
            #expect(directory(link, false).end?.user == 0)
        }
        // His link to what is root's: neither he nor root alone decides.
        let roots = try place.make("roots")
        let link = try place.link("his/link", to: "\(roots)/registry")
        #expect(directory(link).end?.user == 0)
        #expect(directory(link).weakness() == "\(his) can be replaced by the user 61234")
        #expect(directory(link, false).end?.user == 61234)
        #expect(directory("\(place.path)/none/registry").end == nil)
        #expect(directory("\(place.path)/none/registry").weakness() == nil)
        #expect(directory("\(file)/registry").end == nil)
    }

    /// A path that cannot be followed now can be in a moment, if somebody wants it.
    @Test func whatOthersCanMake() throws {
        let his = try place.make("his", user: 61234)
        let open = try place.make("open", mode: 0o1777)
        let vanishing = try place.link("his/link", to: "link")
        for (path, maker) in [
            ("\(his)/none", "\(his) can be replaced by the user 61234"),
            ("\(his)/none/far", "\(his) can be replaced by the user 61234"),
            (vanishing, "\(his) can be replaced by the user 61234"),
            ("\(open)/none", "\(open)/none can be replaced by more than one user"),
            ("\(open)/none/far", "\(open)/none can be replaced by more than one user"),
            ("a\0b", "a\0b can be replaced by more than one user"),
        ] {
            #expect(PathTrust.of(path).end == nil)
            #expect(PathTrust.of(path).weakness() == maker, "\(path)")
        }
        for path in ["\(his)/none/registry", vanishing, "\(open)/none/registry"] {
            #expect(PathTrust.ofDirectory(holding: path, followsLink: true).weakness() != nil, "\(path)")
        }
    }

    @Test func loopsLeadNowhere() throws {
        let loop = try place.link("loop", to: "loop")
        #expect(PathTrust.of(loop).end == nil)
    }

    @Test(arguments: [(0o777, 0), (0o775, 61234), (0o1777, 0)])
    func whereOthersMayWrite(_ mode: Int, _ group: Int) throws {
        let open = try place.make("open", group: group, mode: mode)
        #expect(try weakness(open) == "users other than root can write to \(open)")
        let beneath = try place.make("open/roots")
        let isSticky = mode & 0o1000 != 0
        #expect(try weakness(beneath) == (isSticky ? nil : "\(beneath) can be replaced by more than one user"))
    }

    @Test func rootsOwnGroupMayWrite() throws {
        #expect(try weakness(try place.make("roots", mode: 0o775)) == nil)
    }
}
