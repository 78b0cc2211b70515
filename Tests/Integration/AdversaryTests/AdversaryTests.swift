import TestNode
import Testing

/// A short run of `make adversary`, which sends more.
@Suite struct AdversaryTests {
    @Test func nothingOutsideTheRootsChanges() throws {
        var start = ProgramStart(
            [try TestPrograms.built("podreap-adversary"), "8000"], environment: ProgramStart.ownEnvironment())
        start.errors = .shared
        let (exit, text) = try Program.run(start, seconds: 600)
        print(text)
        #expect(exit == .exited(0), "\(text)")
    }
}
