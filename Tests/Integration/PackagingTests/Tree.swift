import Foundation
import TestNode

/// The project's own tree, and what was built with these tests.
enum Tree {
    static let path = URL(filePath: #filePath).appending(path: "../../../..").standardized.path()

    /// The directory with the programs.
    static let built = Result { try TestPrograms.builtDirectory() }

    /// A directory such as make release makes: the programs, their pages and completions.
    static let release = Result {
        let directory = try built.get()
        let release = "\(directory)/packaged"
        try shell(
            """
            rm -rf '\(release)' && mkdir -p '\(release)' && cd '\(path)'
            ln -s '\(directory)/podreap' '\(directory)/podreapd' '\(directory)/podreap-rescue' '\(release)/'
            packaging/man/generate '\(release)/podreap' '\(release)/podreapd' '\(release)/share/man'
            packaging/completions '\(release)/podreap' '\(release)/podreapd' '\(release)/share/completions'
            """)
        return release
    }
}
