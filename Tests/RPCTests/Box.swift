/// Holds a value that expectations change: they may only read what they capture.
final class Box<Machine> {
  var machine: Machine

  init(_ machine: Machine) { self.machine = machine }
}
