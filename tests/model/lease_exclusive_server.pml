/* Part of lease_exclusive.pml: the server. */

/* What may be granted. Reads that wait for the exclusive holder bar nothing but its return. */
#ifdef GRANT_WHILE_RECALLED    /* grants go on whatever is being recalled */
#define MAY_SHARE (!grace)
#define MAY_EXCLUDE (!grace)
#else
#ifdef NO_RESERVATION          /* grants go on while what was recalled for a parked one is free */
#define MAY_SHARE (!grace && ALL(NOT_RECALLED))
#define MAY_EXCLUDE MAY_SHARE
#else
#define MAY_SHARE (!grace && ALL(NOT_RECALLED) && reserved == 0)
#define MAY_EXCLUDE (MAY_SHARE && reserved_read == 0)
#endif
#endif
#ifdef READS_BAR_READS         /* a page waits for others' reads that wait for recalls */
#define UNRESERVED(mine) (ALL(NOT_RECALLED) && reserved == 0 && reserved_read == (mine))
#else
#define UNRESERVED(mine) (ALL(NOT_RECALLED) && reserved == 0)
#endif

#ifdef RUN_ANY_IN_GRACE        /* … of clients that are back */
#define RUNS(t) (!fenced[CLIENT(t)] && (!grace || back[CLIENT(t)]))
#else
#ifdef READS_IN_GRACE
#define RUNS(t) (!fenced[CLIENT(t)] && (!grace || back[CLIENT(t)] && rq[t].kind != change))
#else
#ifdef WRITES_IN_GRACE         /* repeated before it has reclaimed, like its dirty data */
#define RUNS(t) (!fenced[CLIENT(t)] && (!grace || noticed[CLIENT(t)] && rq[t].kind == change))
#else
#define RUNS(t) (!fenced[CLIENT(t)] && !grace)
#endif
#endif
#endif

inline Grant(t, mode) {
  rq[t].grant = mode;
#ifdef SHARED_LOWERS           /* a grant of shared replaces the exclusive that its session holds */
  held[CLIENT(t)] = mode;
#else
  if
  :: mode > held[CLIENT(t)] -> held[CLIENT(t)] = mode
  :: else
  fi;
#endif
#if RETURNS
  held_sequence[CLIENT(t)]++;
  rq[t].sequence = held_sequence[CLIENT(t)];
#endif
}

/* Recalls client o's lease for request t, unless an open recall does. */
inline Recall(t, o, to_none) {
  if
  :: open[o] & TO_NONE -> rq[t].need = rq[t].need | NEED(o, 1)
  :: !(open[o] & TO_NONE) && !to_none && (open[o] & TO_SHARED) ->
    rq[t].need = rq[t].need | NEED(o, 0)
  :: else ->
    rq[t].need = rq[t].need | NEED(o, to_none);
    n = (to_none -> 4 : 1);
    if
    :: (open[o] | events[o] | pending[o] | answers[o]) & n -> n = n * 2
    :: else
    fi;
    assert(((open[o] | events[o] | pending[o] | answers[o]) & n) == 0);
    open[o] = open[o] | n;
    events[o] = events[o] | n;
    n = 0
  fi
}

#ifdef SYNC_OWN_ONLY           /* an fsync makes durable what the server has */
#define IS_SYNC(t) false
#else
#define IS_SYNC(t) (rq[t].kind == sync)
#endif

/* What others hold that is in the way of t: recalled, or asked. */
inline RecallOthers(t) {
  rq[t].need = 0;
  o = 0;
  do
  :: o < CLIENTS ->
    if
    :: o == CLIENT(t) || held[o] == NONE
    :: o != CLIENT(t) && held[o] != NONE && rq[t].kind == change -> Recall(t, o, 1)
    :: o != CLIENT(t) && held[o] == EXCLUSIVE && (rq[t].kind == page || IS_SYNC(t)) ->
      Recall(t, o, 0)
    :: o != CLIENT(t) && held[o] == EXCLUSIVE && rq[t].kind == stat ->
      rq[t].asked = true;
      rq[t].holder = o
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0;
  alone = true;
  do
  :: o < CLIENTS ->
    if
    :: o != CLIENT(t) && held[o] != NONE -> alone = false
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0
#ifdef EXCLUSIVE_BESIDE_SHARED
  ; alone = true
#endif
}
inline Reply(t) {
  rq[t].value = value;
  rq[t].state = replied
}

inline Run(t) {
  RecallOthers(t);
  if
  :: rq[t].need != 0 ->
    assert(rq[t].again == 0);
    rq[t].again = true;
    rq[t].state = parked;
    if
    :: rq[t].kind == change -> reserved++
    :: else -> reserved_read++
    fi
  :: rq[t].asked ->
    rq[t].value = value;
    rq[t].glimpse = 0;
    rq[t].state = asking;
#ifdef SHARE_GLIMPSES          /* … with a stat whose answer may be on its way already */
    do
    :: o < REQUESTS ->
      if
      :: o != t && rq[o].state == asking && !rq[o].asked ->
        rq[t].asked = false;
        rq[t].glimpse = rq[o].glimpse
      :: else
      fi;
      o++
    :: else -> break
    od;
    o = 0
#endif
  :: rq[t].need == 0 && !rq[t].asked && rq[t].kind == change ->
    versions++;
    value = versions;
    Reply(t);
    if
    :: MAY_EXCLUDE && alone -> Grant(t, EXCLUSIVE)
    :: MAY_SHARE && held[CLIENT(t)] != NONE -> Grant(t, SHARED)
    :: true                      /* it is hot */
    fi
  :: rq[t].need == 0 && !rq[t].asked && rq[t].kind == page ->
    if
    :: UNRESERVED(0) ->
      Reply(t);
      if
      :: MAY_SHARE -> Grant(t, SHARED)
      :: else
      fi
    :: else -> rq[t].state = behind
    fi
  :: rq[t].need == 0 && !rq[t].asked && rq[t].kind == stat ->
    Reply(t);
    if
    :: MAY_SHARE -> Grant(t, SHARED)
    :: MAY_EXCLUDE && alone -> Grant(t, EXCLUSIVE)      /* it was an open for writing */
    :: else
    fi
  :: rq[t].need == 0 && !rq[t].asked && rq[t].kind == sync ->
    assert(value >= rq[t].floor);
    Reply(t)
  fi;
  alone = false
}

/* A glimpse was answered. If the inode changed since it was sent, the answer may be of before. */
inline TakeGlimpse(t) {
  if
  :: rq[t].glimpse == 0 -> Reply(t)
#ifdef TORN_GLIMPSE
  :: rq[t].glimpse != 0 ->
#else
  :: rq[t].glimpse != 0 && rq[t].value != value -> rq[t].value = 0; rq[t].state = sent
  :: rq[t].glimpse != 0 && rq[t].value == value ->
#endif
    assert(rq[t].glimpse >= value);
    rq[t].value = rq[t].glimpse;
    rq[t].glimpse = 0;
#ifdef GRANT_WITH_GLIMPSE
    Grant(t, SHARED);
#endif
    rq[t].state = replied
  fi
}

inline Unreserve(t) {
  if
  :: rq[t].kind == change -> reserved--
  :: else -> reserved_read--
  fi
}

/* First run; run again; answered by a glimpse; dropped because its session is gone. */
#define READY(t) \
  :: rq[t].state == sent && RUNS(t) -> r = t \
  :: rq[t].state == behind && UNRESERVED(0) && RUNS(t) -> r = t \
  :: rq[t].state == parked && rq[t].need == 0 && RUNS(t) && \
     (rq[t].kind != page || UNRESERVED(1)) -> r = t
#define GLIMPSED(t) :: rq[t].state == asking && !rq[t].asked && RUNS(t) -> r = t
#define ORPHANED(t) :: rq[t].state == parked && fenced[CLIENT(t)] -> r = t

inline Close(c, to_none) {
  o = 0;
  do
  :: o < REQUESTS -> rq[o].need = rq[o].need & ~NEED(c, to_none); o++
  :: else -> break
  od;
  o = 0
}

/* The answer to the recall with number (bit) n. */
#define ANSWERED(c) \
  :: (answers[c] & 1) && !fenced[c] -> r = c; n = 1 \
  :: (answers[c] & 2) && !fenced[c] -> r = c; n = 2 \
  :: (answers[c] & 4) && !fenced[c] -> r = c; n = 4 \
  :: (answers[c] & 8) && !fenced[c] -> r = c; n = 8

inline TakeAnswer(c) {
  answers[c] = answers[c] & ~n;
  if
  :: open[c] & n ->
    open[c] = open[c] & ~n;
    if
    :: n & TO_NONE -> held[c] = NONE; Close(c, 1)
    :: else -> held[c] = (held[c] == EXCLUSIVE -> SHARED : held[c]); Close(c, 0)
    fi
  :: else
  fi
}

#if RETURNS
#define TAKE_RETURN(c) \
  :: d_step { given_back[c] != 0 && !fenced[c] -> \
       held[c] = (held_sequence[c] <= given_back[c] -> NONE : held[c]); given_back[c] = 0 }
#else
#define TAKE_RETURN(c)
#endif

/* Writes of dirty data: the holder's, or in the grace period of who was it before. */
#ifdef PARK_FLUSHES            /* … wait for reservations, like reads */
#define FLUSHES(c) (reserved == 0 && reserved_read == 0 && !fenced[c] && \
                    (!grace || noticed[c]))
#else
#ifdef TAKE_FLUSHES_OF_FENCED
#define FLUSHES(c) (!grace || noticed[c])
#else
#define FLUSHES(c) (!fenced[c] && (!grace || noticed[c]))
#endif
#endif
#if defined(REPEAT_FLUSHES) || defined(FLUSH_TWO_GENERATIONS)
byte stray[CLIENTS];           /* what an older flush carries that is still on its way */
#define TAKE_STRAY(c) \
  :: d_step { stray[c] != 0 && !fenced[c] -> \
       assert(stray[c] >= value); value = stray[c]; stray[c] = 0 }
#else
#define TAKE_STRAY(c)
#endif
#ifdef REPEAT_FLUSHES          /* a flush sent again over a new connection takes effect again */
#define DONE_FLUSH(c) \
  if \
  :: flush[c] = replied \
  :: flush[c] = replied; stray[c] = flushing[c] \
  fi
#else
#define DONE_FLUSH(c) flush[c] = replied
#endif
#define TAKE_FLUSH(c) \
  :: atomic { flush[c] == sent && FLUSHES(c) -> \
       assert(flushing[c] > value); value = flushing[c]; DONE_FLUSH(c) }

/* The server's own patience, see lease_expiry.pml. What was not flushed is lost, whoever saw it. */
#ifdef FENCE_FIRST
#define PATIENT(c) silent[c]
#else
#define PATIENT(c) expired[c]
#endif
#define DOOMED(c) :: PATIENT(c) && !fenced[c] -> r = c

inline Fence(c) {
  fenced[c] = true;
  held[c] = NONE;
  open[c] = 0;
  events[c] = 0;
  answers[c] = 0;
  Close(c, 0);
  Close(c, 1);
  do
  :: o < REQUESTS ->
    if
    :: rq[o].state == asking && rq[o].holder == c -> rq[o].asked = false; rq[o].glimpse = 0
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0;
  if
  :: dirty[c] != 0 || flush[c] == sent ->
    lost[c] = true;
    newest = (newest > value -> value : newest);
    do
    :: o < REQUESTS ->
      rq[o].floor = (rq[o].floor > value -> value : rq[o].floor);
      rq[o].value = (rq[o].value > value -> value : rq[o].value);
      o++
    :: else -> break
    od;
    o = 0
  :: else
  fi
}

inline Restart() {
  o = 0;
  do
  :: o < CLIENTS ->
    held[o] = NONE; open[o] = 0; events[o] = 0; answers[o] = 0;
    noticed[o] = false; back[o] = false;
#if RETURNS
    given_back[o] = 0;
#endif
    o++
  :: else -> break
  od;
  o = 0;
  do
  :: o < REQUESTS ->
    if
    :: rq[o].state != idle && rq[o].state != replied ->
      rq[o].state = sent; rq[o].need = 0; rq[o].again = false; rq[o].asked = false;
      rq[o].glimpse = 0; rq[o].holder = 0; rq[o].value = 0
    :: else
    fi;
    o++
  :: else -> break
  od;
  o = 0;
  reserved = 0;
  reserved_read = 0;
  grace = true
}
#ifdef LEAVE_SILENT            /* who is cut off is not waited for, but not fenced either */
#define RECLAIMED(c) (BACK(c) || silent[c])
#else
#define RECLAIMED(c) BACK(c)
#endif

#if REQUESTS == 2
#define ANY_REQUEST(p) p(0) p(1)
#elif REQUESTS == 3
#define ANY_REQUEST(p) p(0) p(1) p(2)
#else
#define ANY_REQUEST(p) p(0) p(1) p(2) p(3)
#endif
#if CLIENTS == 2
#define ANY_CLIENT(p) p(0) p(1)
#else
#define ANY_CLIENT(p) p(0) p(1) p(2)
#endif

active proctype Server() {
  byte r, o, n;
  bool alone;
end:
  do
  :: atomic {
       if
       ANY_REQUEST(READY)
       fi;
       if
       :: rq[r].state == parked -> Unreserve(r)
       :: else
       fi;
       Run(r);
       r = 0 }
  :: atomic { if ANY_REQUEST(GLIMPSED) fi; TakeGlimpse(r); r = 0 }
  :: atomic { if ANY_REQUEST(ORPHANED) fi; Unreserve(r); rq[r].state = replied; r = 0 }
  :: atomic { if ANY_CLIENT(ANSWERED) fi; TakeAnswer(r); r = 0; n = 0 }
#if SILENT
  :: atomic { if ANY_CLIENT(DOOMED) fi; Fence(r); r = 0 }
#endif
  ANY_CLIENT(TAKE_FLUSH) ANY_CLIENT(TAKE_RETURN) ANY_CLIENT(TAKE_STRAY)
#if RESTARTS
  :: atomic { restarts > 0 && !grace -> restarts--; Restart() }
  :: atomic { grace && ALL(RECLAIMED) -> grace = false }
#endif
  od
}
