import ArgumentParser
internal import SandboxRemoval

struct Doctor: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks that the installation works, and says how to mend what does not.",
        discussion: """
            Starts a helper, asks every runtime for its containers, and reads the whole registry. Changes nothing. Run \
            it as the user that podreap runs as; root becomes that user.

            Exit status: 0 all is well, or only warnings; 1 a check failed.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions

    @Option(help: ArgumentHelp("The time for the whole command (default: 120).", valueName: "seconds"))
    var timeout: Seconds?

    var helpers: HelperOptions? { helper }

    func run() async throws {
        let installation: Installation
        do {
            installation = try await .examine(
                helper: helper.path, socket: helper.socket, policy: helper.policy, registry: common.registryPath,
                timeout: timeout?.duration ?? .seconds(120))
        } catch {
            throw RemovalError.observation(error)
        }
        let checks = installation.checks
        if common.json {
            for check in checks { Stream.output.write(jsonLine(check)) }
        } else {
            show(checks)
        }
        if checks.contains(where: { $0.status == .failed }) { throw Status.incomplete }
    }

    private func show(_ checks: [Check]) {
        let page = TerminalWriter(.output)
        // What does not work comes first.
        let order: [Check.Status] = [.failed, .warning, .skipped, .good]
        for check in order.flatMap({ status in checks.filter { $0.status == status } }) {
            let mark =
                switch check.status {
                case .good: page.paint.green("ok    ")
                case .warning: page.paint.yellow("WARN  ")
                case .failed: page.paint.red("FAILED")
                case .skipped: page.paint.dim("skip  ")
                }
            page.paragraph(check.text, first: "\(mark)  ", firstWidth: 8, indent: 8)
            if let remedy = check.remedy { page.line("        \(page.paint.green("->")) \(remedy)") }
        }
        let failed = checks.count { $0.status == .failed }
        let warnings = checks.count { $0.status == .warning }
        let text = "\(checks.count) checks: \(failed) failed, \(warnings) \(warnings == 1 ? "warning" : "warnings")"
        page.line(failed > 0 ? page.paint.red(text) : page.paint.green(text))
    }
}
