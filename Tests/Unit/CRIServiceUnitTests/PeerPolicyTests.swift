import Foundation
import Testing

@testable import CRIService

/// Whom the daemon serves, by the credentials that the kernel reports.
@Suite struct PeerPolicyTests {
    private let policy = PeerPolicy(users: [5001], group: 6001)

    private func allows(_ policy: PeerPolicy, user: UInt32, primary: UInt32 = 9, groups: [UInt32] = []) -> Bool {
        policy.allows(PeerPolicy.Peer(pid: 1, user: user, primaryGroup: primary), groups: groups)
    }

    @Test func rootItselfAndTheListedUsersMayCall() {
        #expect(allows(policy, user: 0))
        #expect(allows(policy, user: geteuid()))
        #expect(allows(policy, user: 5001))
        #expect(!allows(policy, user: 5002))
    }

    @Test func membersOfTheGroupMayCall() {
        #expect(allows(policy, user: 5002, primary: 6001))
        #expect(allows(policy, user: 5002, groups: [7, 6001]))
        #expect(!allows(policy, user: 5002, groups: [7]))
        #expect(!allows(PeerPolicy(), user: 5002, primary: 0, groups: [0]), "no group is nobody's, not root's")
    }

    /// Credentials that were never read name a user that nobody is.
    @Test func unknownPeersMayNotCall() {
        #expect(!policy.allows(PeerPolicy.Peer(), groups: []))
    }
}
