import ProgramSupport

extension Options {
  static let usage = """
    Measures the time of an optimizer's step, against its float32 partner and against the speed of memory.

    usage: \(program.command) [options]

      --filter TEXT     only optimizers and stages whose name contains TEXT, in upper or lower case; the float32
                        partner is measured all the same, for the ratio
      --elements N      parameters in a step, such as 1000000 or 2^26 (default: \(power(defaultElements)), so that a run
                        ends in about a minute; the published table uses 2^26)
      --threads N       threads to use (default: all cores)
      --kernels NAME    only this kernel set (default: the fastest, and all of them in the section kernels)
      --rounds N        rounds of each measurement, whose median is shown (default: \(defaultRounds))
      --sections LIST   with commas between them (default: all)
                        known: \(Section.names)
      --json FILE       write all rows for scripts
      --svg FILE        draw the section steps as bars
      --help            this text

    The optimizers of one family run in turns (A B A B), and a ratio compares times of the same round, so that a machine
    that slows down for a while slows both sides. Spread is the range of the middle half of the rounds over the median:
    above a few percent, the machine was busy with something else.

    Exit status: 0; \(program.usageStatus) for a wrong option; \(program.failureStatus) for a file that cannot be written.
    """
}
