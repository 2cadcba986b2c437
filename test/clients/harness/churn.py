"""The churn of the churn test: a seeded list of joins, leaves, kills, stops and restarts of the server."""
import threading
import time

from checker.history import Recorder

from . import coordinator
from .members import SESSION_MS, Member

LEAST_MEMBERS = 2
CONVERSION_TIMEOUT_S = 40
SERVER_EVERY = 12  # every so many operations one is a SIGKILL of the server


class Watcher:
    """Asks the coordinator for its groups again and again; notes what it says of stable ones."""

    def __init__(self, server, groups, topic, partitions, path):
        self.server, self.groups = server, list(groups)
        self.topic, self.partitions, self.path = topic, partitions, path
        self._file = open(path, "w", encoding="utf-8")
        self.history = Recorder(self._file, stamped=True)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(0.5):
            self.look()

    def look(self):
        """{group: Description} of those that the coordinator knows."""
        found = {}
        for group in self.groups:
            try:
                said = self._describe(group)
            except coordinator.WireError:
                continue
            if said is None:
                continue
            found[group.name] = said
            if said.state == "Stable":
                self.history.note("watcher", "describe", group=group.name,
                                  assignments=said.assignments)
        return found

    def _describe(self, group):
        if group.assignor == "consumer" or group.mixed:
            said = coordinator.describe(self.server.bootstrap, group.name, True)
            if said is not None or not group.mixed:
                return said
        return coordinator.describe(self.server.bootstrap, group.name, False)

    def wait_for(self, group, consumer, members, timeout_s):
        """Until the group is stable, of the consumer protocol or the classic one, with so many members that
        own partitions; else what was seen last."""
        end, seen = time.monotonic() + timeout_s, "it is not known"
        while time.monotonic() < end:
            try:
                new = coordinator.describe(self.server.bootstrap, group.name, True)
                said = new or coordinator.describe(self.server.bootstrap, group.name, False)
            except coordinator.WireError:
                said = None
            if said is not None:
                owners = sum(1 for owned in said.assignments.values() if owned)
                seen = f"{said.state}, {'consumer' if new else 'classic'} protocol, {owners} owners"
                if said.state == "Stable" and bool(new) == consumer and owners == members:
                    return None
            time.sleep(0.2)
        return seen

    def committed(self, group):
        try:
            return coordinator.committed(self.server.bootstrap, group, self.topic, self.partitions)
        except coordinator.WireError:
            return {}

    def stop(self):
        self.stopping.set()
        self.thread.join(30)
        self._file.close()


class Churn:
    def __init__(self, server, rng, commands, topic, directory, groups, most):
        self.server, self.rng, self.commands, self.topic = server, rng, commands, topic
        self.directory, self.most = directory, most
        self.groups = [g for g in groups if any(f in commands for f in g.families)]
        self.members = {g.name: [] for g in self.groups}
        self.histories, self.problems, self.done = [], [], []
        self._turn = {g.name: 0 for g in self.groups}
        # (group, begin, end) on the wall clock: a member was counted on and did not answer
        self.absences = []
        # (begin, end): all connections were broken, and the sessions of who does not come back have ended
        self.outages = []

    def start(self, watcher):
        for group in self.groups:
            for _ in range(1 if group.mixed else LEAST_MEMBERS):
                self.join(group, group.assignor if group.mixed else None)
        for group in self.groups:
            if group.mixed:
                self._convert(group, watcher)

    def _convert(self, group, watcher):
        """To KIP-848 and back by the first members of a mixed group; later operations do it by chance."""
        for step, assignor in enumerate((group.assignor, "consumer", group.assignor, "consumer")):
            if assignor == "consumer":
                self.join(group, assignor)
            elif step > 0:
                newest = self.members[group.name].pop()
                newest.ask_to_leave()
                self.problems += newest.left()
            said = watcher.wait_for(group, assignor == "consumer", len(self.members[group.name]),
                                    CONVERSION_TIMEOUT_S)
            if said:
                self.problems.append(f"group {group.name} does not come to {assignor}: {said}")
                return

    def join(self, group, wanted=None):
        """Starts the next member in turn, or the next one that speaks the wanted assignor."""
        kinds = group.kinds(self.commands)
        turn = self._turn[group.name]
        while wanted and kinds[turn % len(kinds)][1] != wanted:
            turn += 1
        self._turn[group.name] = turn + 1
        family, assignor = kinds[turn % len(kinds)]
        instance = None
        if group.static:
            taken = {m.instance for m in self.members[group.name]}
            instance = next(i for n in range(99) if (i := f"{group.name}-i{n}") not in taken)
        name = f"{group.name}-{family}-{turn}" + ("-new" if group.mixed and assignor == "consumer" else "")
        member = Member(name, group.name, family, self.commands[family], self.server.bootstrap,
                        self.topic, self.directory, assignor, instance)
        self.members[group.name].append(member)
        self.histories.append(member.path)
        return member.name

    def _pick(self, group):
        return self.rng.choice([m for m in self.members[group.name] if m.wake_at is None])

    def _remove(self, group, how):
        member = self._pick(group)
        self._note_problems(member)
        self.members[group.name].remove(member)
        if how == "kill":
            member.kill()
            self._note_absence(group, SESSION_MS / 1000)
        else:
            member.ask_to_leave()
            self.problems += member.left()
            if group.static:  # it goes without a word, to come back
                self._note_absence(group, SESSION_MS / 1000)
        return member.name

    def _note_problems(self, member):
        self.problems += member.problems()

    def _stop(self, group):
        """Shorter than the session time-out it goes on as if nothing was, longer it was thrown out."""
        member = self._pick(group)
        long = self.rng.random() < 0.5
        seconds = SESSION_MS / 1000 * (1.5 if long else 0.3)
        member.stop(seconds)
        self._note_absence(group, seconds + SESSION_MS / 1000)
        return f"{member.name} {'long' if long else 'short'}"

    def _note_absence(self, group, seconds):
        self.absences.append((group.name, time.time(), time.time() + seconds))

    def _restart_server(self):
        begin = time.time()
        self.server.kill()
        self.server.start()
        self.outages.append((begin, time.time() + SESSION_MS / 1000))

    def wake_due(self, everyone=False):
        for members in self.members.values():
            for member in members:
                if member.wake_at is not None and (everyone or time.monotonic() >= member.wake_at):
                    member.wake()

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.wake_due()
            time.sleep(min(0.05, max(0.0, end - time.monotonic())))

    def one(self):
        """One operation, drawn among those that the chosen group allows."""
        self.wake_due()
        if len(self.done) % SERVER_EVERY == SERVER_EVERY // 2:
            self._restart_server()
            self.done.append("server")
            self.pause(self.rng.uniform(0.5, 2))
            return
        group = self.rng.choice(self.groups)
        running = [m for m in self.members[group.name] if m.wake_at is None]
        choices = []
        if len(self.members[group.name]) < self.most:
            choices += ["join"] * 6
        if len(running) > LEAST_MEMBERS - 1 and len(self.members[group.name]) >= LEAST_MEMBERS:
            choices += ["leave"] * 3 + ["kill"] * 4 + ["stop"] * 4
        what = self.rng.choice(choices or ["wait"])
        told = {"wait": lambda: group.name, "join": lambda: self.join(group),
                "leave": lambda: self._remove(group, "leave"),
                "kill": lambda: self._remove(group, "kill"), "stop": lambda: self._stop(group)}[what]()
        self.done.append(f"{what} {told}")
        self.pause(self.rng.uniform(0.1, 1.2))

    def everyone(self):
        return [member for members in self.members.values() for member in members]

    def lag(self, watcher, ends):
        """{group: how far its committed offsets are from the end}, of those that are not there."""
        behind = {}
        for group in self.members:
            committed = watcher.committed(group)
            missing = sum(max(0, end - max(0, committed.get(p, 0))) for p, end in ends.items())
            if missing:
                behind[group] = missing
        return behind

    def finish(self, watcher, ends, timeout_s):
        """Everyone goes on; each group with members reaches the end of the log and is stable."""
        self.wake_due(everyone=True)
        if not self.server.alive():
            self.problems.append("the server ended by itself")
            return
        deadline = time.monotonic() + timeout_s
        while (behind := self.lag(watcher, ends)) and time.monotonic() < deadline:
            time.sleep(0.3)
        for group, missing in behind.items():
            self.problems.append(f"group {group} is {missing} records behind after {timeout_s} s")
        while True:
            said = watcher.look()
            unstable = [g for g in self.members if g not in said or said[g].state != "Stable"]
            if not unstable:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.3)
        self.problems.append(f"not stable after {timeout_s} s: {', '.join(unstable)}")

    def leave_all(self):
        for member in self.everyone():
            self._note_problems(member)
            member.ask_to_leave()
        for member in self.everyone():
            self.problems += member.left()

    def kill_all(self):
        for member in self.everyone():
            member.kill()
