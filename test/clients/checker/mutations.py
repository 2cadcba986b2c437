"""Turns a good history into one with a violation of a given kind, as a faulty broker would have made it.
Each takes (lines, random) and returns False when this history offers no place for it."""
import copy


def polls(lines):
    return [line for line in lines if line["f"] == "poll" and line["type"] == "ok"]


def sends(lines, **wanted):
    return [line for line in lines if line["f"] == "send" and line["type"] == "ok"
            and all(line.get(name) == value for name, value in wanted.items())]


def outcome_of(lines):
    return {line["txn"]: line["outcome"] for line in lines if line["f"] == "end" and line["type"] == "ok"}


def forget(lines, value):
    for poll in polls(lines):
        poll["records"] = [record for record in poll["records"] if record[2] != value]


def drain_polls(lines):
    return [poll for poll in polls(lines) if poll["client"] == "drain"]


def plain_sends(lines):
    return [send for send in sends(lines) if "txn" not in send and send.get("idempotent", True)]


def read_by_drain(lines):
    return {(tp, offset): value for poll in drain_polls(lines) for tp, offset, value in poll["records"]}


def last_read(lines):
    """The last offset of each partition that anybody read."""
    last = {}
    for poll in polls(lines):
        for tp, offset, _ in poll["records"]:
            last[tp] = max(offset, last.get(tp, -1))
    return last


def lost_write(lines, random):
    last = last_read(lines)
    choices = [send for send in plain_sends(lines) if send["offset"] < last[send["tp"]]]
    if not choices:
        return False
    forget(lines, random.choice(choices)["value"])
    return True


def unseen(lines, random):
    last = last_read(lines)
    choices = [send for send in plain_sends(lines) if send["offset"] == last[send["tp"]]]
    if not choices:
        return False
    forget(lines, random.choice(choices)["value"])
    return True


def duplicate(lines, random):
    choices = [send for send in sends(lines) if send.get("idempotent", True)
               and outcome_of(lines).get(send.get("txn"), "commit") == "commit"]
    if not choices:
        return False
    send = random.choice(choices)
    end = {tp: offset for tp, offset in drain_end(lines).items()}
    poll = drain_polls(lines)[-1]
    poll["records"].append([send["tp"], end[send["tp"]] + 1, send["value"]])
    poll["lso"] = poll["hw"] = {}
    return True


def drain_end(lines):
    return next(line["offsets"] for line in reversed(lines) if line["f"] == "drain")


def inconsistent_offset(lines, random):
    acked = {(send["tp"], send["offset"]) for send in plain_sends(lines)}
    places = [(poll, at) for poll in polls(lines) for at, record in enumerate(poll["records"])
              if (record[0], record[1]) in acked]
    if not places:
        return False
    poll, at = random.choice(places)
    lines.insert(0, {"client": "p9", "op": 1, "type": "unknown", "f": "send", "tp": poll["records"][at][0], "value": "other"})
    poll["records"][at] = poll["records"][at][:2] + ["other"]
    return True


def unwritten_read(lines, random):
    poll = random.choice([poll for poll in polls(lines) if poll["records"]])
    at = random.randrange(len(poll["records"]))
    poll["records"][at] = poll["records"][at][:2] + ["from nowhere"]
    return True


def aborted_read(lines, random):
    outcomes = outcome_of(lines)
    gone = [send for send in sends(lines) if outcomes.get(send.get("txn")) == "abort"]
    if not gone:
        return False
    send = random.choice(gone)
    for poll in drain_polls(lines):
        spot = [at for at, record in enumerate(poll["records"]) if record[0] == send["tp"] and record[1] > send["offset"]]
        if spot:
            poll["records"].insert(spot[0], [send["tp"], send["offset"], send["value"]])
            return True
    return False


def failed_read(lines, random):
    failed = [line for line in lines if line["f"] == "send" and line["type"] == "fail"]
    if not failed:
        return False
    send = random.choice(failed)
    poll = drain_polls(lines)[-1]
    poll["records"].append([send["tp"], drain_end(lines)[send["tp"]] + 1, send["value"]])
    poll["lso"] = poll["hw"] = {}
    return True


def read_above_watermark(lines, random):
    poll = random.choice([poll for poll in polls(lines) if poll["records"]])
    tp, offset, _ = random.choice(poll["records"])
    mark = "lso" if poll["isolation"] == "read_committed" else "hw"
    poll[mark] = {tp: offset}
    return True


def torn_transaction(lines, random):
    outcomes = outcome_of(lines)
    last = last_read(lines)
    of = {}
    for send in sends(lines):
        if outcomes.get(send.get("txn")) == "commit":
            of.setdefault(send["txn"], []).append(send)
    choices = [members for members in of.values() if len(members) > 1]
    if not choices:
        return False
    members = random.choice(choices)
    cut = [send for send in members if send["offset"] < last[send["tp"]]] or members
    forget(lines, random.choice(cut)["value"])
    return True


def poll_skip(lines, random):
    """One reader jumps over the first record that a poll gave it; the others still have it."""
    known = read_by_drain(lines)
    choices = []
    began = set()
    for poll in polls(lines):
        if poll["client"] == "drain":
            continue
        first = {}
        for record in poll["records"]:
            first.setdefault(record[0], record)
        for tp, record in first.items():
            again = [other for other in poll["records"] if other[0] == tp and other is not record]
            if (poll["client"], tp) in began and again and (tp, record[1]) in known:
                choices.append((poll, record))
            began.add((poll["client"], tp))
    if not choices:
        return False
    poll, record = random.choice(choices)
    poll["records"].remove(record)
    return True


def internal_poll_skip(lines, random):
    known = read_by_drain(lines)
    choices = []
    for poll in polls(lines):
        if poll["client"] == "drain":
            continue
        for tp in sorted({record[0] for record in poll["records"]}):
            middle = [record for record in poll["records"] if record[0] == tp][1:-1]
            choices += [(poll, record) for record in middle if (tp, record[1]) in known]
    if not choices:
        return False
    poll, record = random.choice(choices)
    poll["records"].remove(record)
    return True


def nonmonotonic_poll(lines, random):
    choices = [at for at, line in enumerate(lines) if line["f"] == "poll" and line["type"] == "ok" and line["records"]]
    at = random.choice(choices)
    again = copy.deepcopy(lines[at])
    again["op"] = "again"
    again["hw"] = again["lso"] = {}
    lines.insert(at + 1, again)
    return True


def internal_nonmonotonic_poll(lines, random):
    choices = []
    for poll in polls(lines):
        of = {}
        for at, record in enumerate(poll["records"]):
            if record[0] in of:
                choices.append((poll, of[record[0]], at))
            of[record[0]] = at
    if not choices:
        return False
    poll, one, two = random.choice(choices)
    records = poll["records"]
    records[one], records[two] = records[two], records[one]
    return True


def nonmonotonic_send(lines, random):
    """Two records of one idempotent producer changed places in the log, for everybody."""
    invoked = {(line["client"], line["op"]): at for at, line in enumerate(lines) if line["type"] == "invoke"}
    of = {}
    for send in sorted(plain_sends(lines), key=lambda send: invoked[(send["client"], send["op"])]):
        of.setdefault((send["client"], send["tp"]), []).append(send)
    pairs = [pair for members in of.values() for pair in zip(members, members[1:])]
    if not pairs:
        return False
    one, two = random.choice(pairs)
    one["offset"], two["offset"] = two["offset"], one["offset"]
    swap = {one["value"]: two["value"], two["value"]: one["value"]}
    for poll in polls(lines):
        poll["records"] = [[tp, offset, swap.get(value, value)] for tp, offset, value in poll["records"]]
    return True


def send_gap(lines, random):
    """A record whose outcome is unknown is not there, but what its sender sent next is."""
    seen = set(read_by_drain(lines).values())
    of = {}
    for line in lines:
        if line["f"] == "send" and line["type"] != "invoke" and line.get("chained") and line["value"] in seen:
            of.setdefault(line["tp"], []).append(line)
    choices = [send for members in of.values() for send in members[:-1] if send["type"] == "unknown"]
    if not choices:
        return False
    forget(lines, random.choice(choices)["value"])
    return True


def owns(lines):
    return [at for at, line in enumerate(lines) if line["f"] == "own" and line["type"] == "ok"]


def two_owners(lines, random):
    pairs = [(lines[one], lines[two]) for one in owns(lines) for two in owns(lines)
             if lines[one]["client"] != lines[two]["client"] and lines[one]["generation"] == lines[two]["generation"]
             and lines[one]["tps"]]
    one, two = random.choice(pairs)
    two["tps"] = two["tps"] + [random.choice(one["tps"])]
    return True


def described_twice(lines, random):
    choices = [line for line in lines if line["f"] == "describe" and line["type"] == "ok"
               and any(line["assignments"].values())]
    assignments = random.choice(choices)["assignments"]
    one = random.choice([member for member, tps in sorted(assignments.items()) if tps])
    two = random.choice([member for member in sorted(assignments) if member != one])
    assignments[two] = assignments[two] + assignments[one][:1]
    return True


def needless_revocation(lines, random):
    last, choices = {}, []
    for at in owns(lines):
        own = lines[at]
        if own["cooperative"]:
            choices += [(at, tp) for tp in own["tps"] if tp in last.get(own["client"], ())]
        last[own["client"]] = own["tps"]
    if not choices:
        return False
    at, tp = random.choice(choices)
    lines.insert(at, {"client": lines[at]["client"], "op": "taken", "type": "ok", "f": "revoke",
                      "group": lines[at]["group"], "tps": [tp]})
    return True


def read_unowned(lines, random):
    """A member goes on with a partition after it was taken from it."""
    known = read_by_drain(lines)
    choices = [(at, tp, offset, value) for at, line in enumerate(lines) if line["f"] == "revoke" and line["type"] == "ok"
               for (tp, offset), value in known.items() if tp in line["tps"]]
    if not choices:
        return False
    at, tp, offset, value = random.choice(choices)
    lines.insert(at + 1, {"client": lines[at]["client"], "op": "on", "type": "ok", "f": "poll",
                          "records": [[tp, offset, value]]})
    return True


def stale_commit(lines, random):
    acked = {}
    under_way = {}  # never answered: may still take effect
    choices = []
    for line in lines:
        if line["f"] == "commit":
            under_way[(line["client"], line["op"])] = line["offsets"]
            if line["type"] != "invoke":
                del under_way[(line["client"], line["op"])]
            if line["type"] == "ok":
                acked.update(line["offsets"])
        if line["f"] == "resume" and line["type"] == "ok" and line["tp"] in acked:
            tp = line["tp"]
            allowed = min([acked[tp]] + [offsets[tp] for offsets in under_way.values() if tp in offsets])
            if allowed > 0:
                choices.append((line, allowed))
    if not choices:
        return False
    line, allowed = random.choice(choices)
    line["offset"] = random.randrange(allowed)
    return True


def commit_ahead(lines, random):
    known = read_by_drain(lines)
    choices = []
    for line in lines:
        if line["f"] == "commit" and line["type"] == "ok":
            for tp, offset in line["offsets"].items():
                later = [at for (of, at) in known if of == tp and at >= offset]
                if later:
                    choices.append((line, tp, max(later) + 1))
    if not choices:
        return False
    line, tp, offset = random.choice(choices)
    line["offsets"][tp] = offset
    return True


def resume_ahead(lines, random):
    choices = [line for line in lines if line["f"] == "resume" and line["type"] == "ok" and line["offset"] >= 0]
    if not choices:
        return False
    random.choice(choices)["offset"] += 100_000
    return True


def watermark_back(lines, random):
    seen = {}
    choices = []
    for line in lines:
        if line["f"] == "watermark" and line["type"] == "ok":
            if seen.get(line["tp"], 0) > 0:
                choices.append((line, seen[line["tp"]]))
            seen[line["tp"]] = line["hw"]
    if not choices:
        return False
    line, before = random.choice(choices)
    line["hw"] = random.randrange(before)
    return True


def g1c(lines, random):
    outcomes = outcome_of(lines)
    of = {}
    for send in sends(lines):
        if outcomes.get(send.get("txn")) == "commit":
            of.setdefault(send["txn"], send)
    if len(of) < 2:
        return False
    one, two = random.sample(sorted(of), 2)
    for number, (reader, writer) in enumerate(((one, two), (two, one))):
        send = of[writer]
        lines.append({"client": f"circle{number}", "op": 1, "type": "ok", "f": "poll", "txn": reader,
                      "records": [[send["tp"], send["offset"], send["value"]]]})
    return True


MUTATIONS = (
    ("lost-write", lost_write), ("unseen", unseen), ("duplicate", duplicate),
    ("inconsistent-offset", inconsistent_offset), ("unwritten-read", unwritten_read),
    ("aborted-read", aborted_read), ("aborted-read", failed_read),
    ("read-above-watermark", read_above_watermark), ("torn-transaction", torn_transaction),
    ("poll-skip", poll_skip), ("internal-poll-skip", internal_poll_skip),
    ("nonmonotonic-poll", nonmonotonic_poll), ("internal-nonmonotonic-poll", internal_nonmonotonic_poll),
    ("nonmonotonic-send", nonmonotonic_send), ("stale-commit", stale_commit),
    ("commit-ahead", commit_ahead), ("commit-ahead", resume_ahead), ("watermark-back", watermark_back),
    ("g1c", g1c), ("send-gap", send_gap), ("two-owners", two_owners), ("two-owners", described_twice),
    ("needless-revocation", needless_revocation), ("read-unowned", read_unowned),
)
