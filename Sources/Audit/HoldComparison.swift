import HotPath
import Inventory
import Ledger

/// All that both stores have of one hold, and what follows from it.  No store and no clock in here.
struct HoldComparison {
  /// As the books or Redis call it.
  let id: String
  /// nil: Redis does not know this generation, or in short.
  let record: Hold?
  /// What Redis remembers of one that has ended.
  let ended: EndedHold?
  let traces: HoldTraces

  /// The state that is right, with its present version; nil: nothing that an event could say.
  ///
  /// Redis's record is the judge.  Where Redis has forgotten the hold, the movements of the books say
  /// how many units of what, since nobody can change them, and the row says the rest; where it remembers
  /// the hold in short, that is right, and these say what it leaves out.  A hold that Redis should know and
  /// does not has ended.
  var truth: Hold? {
    if let record { return record }
    guard let id = HoldID(id), let sku = SKU(sku) else { return nil }
    let (row, moved) = (traces.row, traces.movements)
    let qty = moved.units > 0 ? moved.units : row?.qty ?? 0
    guard (1...Int64(Limits.holdUnitsMax)).contains(qty) else { return nil }
    var hold = Hold(
      id: id, status: .cancelled, version: UInt64(max(row?.version ?? 0, moved.version, 1)),
      sku: sku, qty: UInt64(qty), user: row.flatMap { Label($0.user) } ?? Label("audit")!,
      key: row.flatMap { Label($0.key) } ?? Label("audit")!,
      expiresAt: max(row?.expiresAt ?? 0, id.generation + 1), changedAt: id.generation)
    let reference =
      row.flatMap { Label($0.paymentRef) } ?? traces.order.flatMap { Label($0.paymentRef) }
    if let ended {
      (hold.status, hold.version) = (ended.status, max(ended.version, hold.version))
      (hold.expiresAt, hold.changedAt) = (ended.expiresAt, ended.changedAt)
      hold.paymentRef = ended.status == .confirmed ? reference ?? Label("audit") : nil
      return hold
    }
    guard let row, moved.count > 0 else { return hold }
    let isSold = moved.deltas == Self.deltas(of: .confirmed, qty) || row.status == "CONFIRMED"
    if isSold, let reference {
      (hold.status, hold.paymentRef) = (.confirmed, reference)
    } else if row.status != "CANCELLED" {
      hold.status = .expired
    }
    return hold
  }

  /// Whose it is.
  private var sku: String {
    let (row, moved) = (traces.row, traces.movements)
    return moved.count > 0 && moved.skus[0] == moved.skus[1] ? moved.skus[0] : row?.sku ?? ""
  }

  /// The books' newest version.
  var booksVersion: UInt64 {
    UInt64(max(traces.row?.version ?? 0, traces.movements.version, 0))
  }

  /// What the movements of a hold in that state add up to.
  static func deltas(of status: HoldStatus, _ qty: Int64) -> Correction.Deltas {
    switch status {
    case .active: Correction.Deltas(available: -qty, held: qty)
    case .confirmed: Correction.Deltas(available: -qty, sold: qty)
    case .cancelled, .expired: .none
    }
  }

  /// What the books lack of the movements that the truth asks for.
  func missingDeltas(of truth: Hold) -> Correction.Deltas {
    Self.deltas(of: truth.status, Int64(truth.qty)) - traces.movements.deltas
  }

  /// Every difference, by name.
  var differences: [Difference] {
    guard let truth else {
      return [
        difference(.movementExtra, "what the books have of it could not come from any event")
      ]
    }
    guard let row = traces.row else {
      if let record {
        return [difference(.holdMissing, "Redis has \(Self.text(record)), the books no row")]
      }
      if let ended {
        return [
          difference(.holdMissing, "Redis has \(Self.text(ended)), the books no row")
        ]
      }
      guard traces.movements.count > 0 else { return [] }
      return [difference(.movementExtra, "\(movementText), and no row")]
    }
    var found: [Difference] = []
    if let record {
      let fields = Self.fields(in: row, unlike: record)
      if !fields.isEmpty {
        found.append(
          difference(
            .holdState,
            "Redis has \(Self.text(record)), the books \(Self.text(row)); "
              + "unlike: \(fields.joined(separator: ", "))"))
      }
    } else if let ended, !Self.agrees(row, with: ended) {
      found.append(
        difference(
          .holdState, "Redis has \(Self.text(ended)), the books \(Self.text(row)), \(movementText)")
      )
    } else if ended == nil, row.status == "ACTIVE" || traces.movements.count == 0 {
      let why = traces.movements.count == 0 ? ", and no movement of it" : ""
      found.append(
        difference(.holdExtra, "the books have \(Self.text(row))\(why), Redis does not know it"))
    } else if row.status != truth.status.name || row.qty != truth.qty || row.sku != truth.sku.text {
      found.append(
        difference(
          .holdState, "Redis has forgotten it; the books have \(Self.text(row)), \(movementText)"))
    }
    return found + orderDifferences(truth) + movementDifferences(truth)
  }

  private func orderDifferences(_ truth: Hold) -> [Difference] {
    let order = traces.order.flatMap { $0.status == "VOID" ? nil : $0 }
    guard truth.status == .confirmed else {
      guard let order else { return [] }
      return [
        difference(.orderExtra, "an order of \(order.qty) for a hold that is \(truth.status.name)")
      ]
    }
    guard let order else { return [difference(.orderMissing, "confirmed, and no order")] }
    guard order.sku == truth.sku.text, order.qty == truth.qty, order.user == truth.user.text,
      order.paymentRef == truth.paymentRef?.text
    else {
      return [
        difference(.orderState, "the order has \(order.qty) of \(order.sku), the hold \(truth.qty)")
      ]
    }
    return []
  }

  private func movementDifferences(_ truth: Hold) -> [Difference] {
    let moved = traces.movements
    // Of a hold that Redis should know and does not, that is said already.
    guard record != nil || moved.count > 0 && traces.row?.status != "ACTIVE" else { return [] }
    let isOfAnother = moved.count > 0 && moved.skus != [truth.sku.text, truth.sku.text]
    guard missingDeltas(of: truth) != .none || isOfAnother else { return [] }
    let needed = truth.status == .active ? 1 : 2
    return [
      difference(
        moved.count < needed ? .movementMissing : .movementExtra,
        "\(movementText), and the hold is \(truth.status.name)")
    ]
  }

  private var movementText: String {
    let moved = traces.movements
    return "\(moved.count) movements: \(moved.deltas.text)"
  }

  private func difference(_ kind: Difference.Kind, _ found: String) -> Difference {
    Difference(kind, sku: record?.sku.text ?? sku, hold: id, found)
  }

  private static func text(_ hold: Hold) -> String {
    "\(hold.status.name) version \(hold.version), \(hold.qty) of \(hold.sku)"
  }

  private static func text(_ ended: EndedHold) -> String {
    "\(ended.status.name) version \(ended.version), ended at \(ended.changedAt)"
  }

  private static func text(_ row: HoldRow) -> String {
    "\(row.status) version \(row.version), \(row.qty) of \(row.sku)"
  }

  /// Whether a row says what a record says.
  static func agrees(_ row: HoldRow, with record: Hold) -> Bool {
    row.version == record.version && row.status == record.status.name
      && row.qty == record.qty && row.sku == record.sku.text && row.user == record.user.text
      && row.key == record.key.text && row.createdAt == record.createdAt
      && row.expiresAt == record.expiresAt && row.paymentRef == record.paymentRef?.text ?? ""
  }

  /// Whether a row says what Redis remembers of a hold that has ended.
  static func agrees(_ row: HoldRow, with ended: EndedHold) -> Bool {
    row.version == ended.version && row.status == ended.status.name
      && row.createdAt == ended.createdAt && row.expiresAt == ended.expiresAt
  }

  /// The names of the columns that do not say what a record says.
  static func fields(in row: HoldRow, unlike record: Hold) -> [String] {
    [
      ("status", row.status == record.status.name),
      ("version", row.version == record.version),
      ("sku", row.sku == record.sku.text),
      ("qty", row.qty == record.qty),
      ("user_id", row.user == record.user.text),
      ("idempotency_key", row.key == record.key.text),
      ("created_at", row.createdAt == record.createdAt),
      ("expires_at", row.expiresAt == record.expiresAt),
      ("payment_ref", row.paymentRef == record.paymentRef?.text ?? ""),
    ].filter { !$0.1 }.map(\.0)
  }
}

extension Correction.Deltas {
  /// For a person: `available -2, held +2, sold +0, supplied +0`.
  var text: String {
    func signed(_ units: Int64) -> String { units < 0 ? "\(units)" : "+\(units)" }
    return "available \(signed(available)), held \(signed(held)), sold \(signed(sold)), "
      + "supplied \(signed(supplied))"
  }
}
