/* Leases on a directory and the file one of its names is bound to; opens that only the client knows.
 *
 * Beside lease_file.pml, which see for what corresponds to what. New here:
 *   - a directory's lease stays when a name in it changes: what is recalled is the name (`to`
 *     kShared). So a parked change that runs again finds the holder still there, and must know that
 *     it has given (`given`); the reservation keeps that true;
 *   - a file is opened at the client alone while it caches name and file (`lazy`), and the open is
 *     registered at the server before the file's lease is given up, asked or unasked;
 *   - a file without names is freed when no lease and no registered open is left.
 * Left out, as in the other model already: lost events, numbers, kernel pages.
 *
 * `version` counts the changes of the one name: even, it is bound to file version / 2; odd, absent.
 *
 * Properties: the name that a cache or a reply shows is no older than anything shown or acknowledged
 * before; no file is freed while somebody has it open; a change that runs again meets new holders
 * only if it now changes something else (the name is bound to another file); no invalid end state.
 */
#define CLIENTS 2
#ifndef OPS
#define OPS 3                  /* of each client */
#endif
#ifndef CHANGES
#define CHANGES 3              /* of all together */
#endif
#define OBJECTS 3              /* the directory, and as many files as there may be */
#define DIR 0
#define FILE(version) (1 + (version) / 2)
#define PRESENT(version) ((version) % 2 == 0)
#define BIT(n) (1 << (n))
#define AT(c, o) ((c) * OBJECTS + (o))

mtype = { idle, sent, parked, replied };
mtype = { lookup, change };

typedef Request {
  mtype state = idle;
  mtype kind = lookup;
  byte version;
  byte floor;
  byte granted;                /* objects, as bits */
  byte overtaken;              /* objects, as bits */
  byte given;                  /* sessions that have given the name up for this change */
  byte reserved;               /* objects, as bits */
  byte parked_at;              /* 1 + the version when it was parked last, 0 never */
};
Request rq[CLIENTS];

/* The server. */
byte version;
bool held[CLIENTS * OBJECTS];
bool outstanding[CLIENTS * OBJECTS];
byte opens[CLIENTS];           /* files, as bits */
byte freed;

/* The clients: one request and one change each. */
bool have_name[CLIENTS];
byte name[CLIENTS];
byte have_file[CLIENTS];       /* as bits */
byte lazy[CLIENTS];            /* files opened without the server's knowledge, as bits */
byte registered[CLIENTS];      /* files opened with it */

/* The network. */
bool event[CLIENTS * OBJECTS];
bool answer[CLIENTS * OBJECTS];
byte returning[CLIENTS * OBJECTS];   /* 1: on its way; 2: likewise, but granted again since */
byte changes = CHANGES;
byte newest;

inline Look(o) {               /* is something reserved or being recalled? */
  busy = false;
  i = 0;
  do
  :: i < CLIENTS ->
    if
    :: outstanding[AT(i, o)] || (rq[i].reserved & BIT(o)) -> busy = true
    :: else
    fi;
    i++
  :: else -> break
  od
#ifdef NO_RESERVATION          /* grants go on while a change waits */
  ; busy = false
#endif
}

inline Grant(c, o) {
  Look(o);
  if
  :: !busy ->
    held[AT(c, o)] = true;
    rq[c].granted = rq[c].granted | BIT(o);
    if
    :: returning[AT(c, o)] == 1 -> returning[AT(c, o)] = 2
    :: else
    fi
  :: else
  fi
}

/* Asks everybody but client c for object o. Those in `given` have answered for the name already. */
inline RecallOthers(c, o) {
  i = 0;
  do
  :: i < CLIENTS ->
    if
    :: i != c && held[AT(i, o)] && !(o == DIR && (rq[c].given & BIT(i))) ->
      conflict = true;
#ifndef FORGET_GIVEN           /* run again, a change asks again for the name */
      if
      :: o == DIR -> rq[c].given = rq[c].given | BIT(i)
      :: else
      fi;
#endif
      if
      :: !outstanding[AT(i, o)] -> outstanding[AT(i, o)] = true; event[AT(i, o)] = true
      :: else
      fi
    :: else
    fi;
    i++
  :: else -> break
  od
}

inline RunChange(c) {
  conflict = false;
  rq[c].reserved = 0;
  RecallOthers(c, DIR);
  if
  :: PRESENT(version) -> RecallOthers(c, FILE(version))
  :: else
  fi;
  if
  :: conflict ->
    assert(rq[c].parked_at != version + 1);
    rq[c].parked_at = version + 1;
    rq[c].reserved = BIT(DIR) | (PRESENT(version) -> BIT(FILE(version)) : 0);
    rq[c].state = parked
  :: else ->
    version++;
    rq[c].version = version;
    rq[c].given = 0;
    rq[c].state = replied
  fi;
  conflict = false
}

inline RunLookup(c) {
  rq[c].version = version;
  Grant(c, DIR);
  if
  :: PRESENT(version) -> Grant(c, FILE(version))
  :: else
  fi;
  rq[c].state = replied
}

/* Do recalls of what the change reserves wait for an answer? (The other client's: there are two.) */
#define ASKED(c, o) (outstanding[AT(1 - (c), o)] && (rq[c].reserved & BIT(o)))
#define STILL_ASKED(c) (ASKED(c, 0) || ASKED(c, 1) || ASKED(c, 2))

/* A file that the name is no longer bound to, without leases and opens: gone for good. */
inline Reclaim() {
  o = 1;
  do
  :: o < OBJECTS ->
    busy = (PRESENT(version) && FILE(version) == o) || 2 * (o - 1) > version;
    i = 0;
    do
    :: i < CLIENTS ->
      busy = busy || held[AT(i, o)] || (opens[i] & BIT(o));
      i++
    :: else -> break
    od;
    if
    :: !busy ->
      freed = freed | BIT(o);
      assert(((lazy[0] | registered[0]) & BIT(o)) == 0);
      assert(((lazy[1] | registered[1]) & BIT(o)) == 0)
    :: else
    fi;
    o++
  :: else -> break
  od
}

#define SERVE(c) \
  :: d_step { rq[c].state == sent -> \
       if :: rq[c].kind == change -> RunChange(c) :: else -> RunLookup(c) fi; \
       Reclaim(); i = 0; o = 0; busy = false } \
  :: d_step { rq[c].state == parked && !STILL_ASKED(c) -> \
       RunChange(c); Reclaim(); i = 0; o = 0; busy = false }
#define TAKE(c, o_) \
  :: d_step { answer[AT(c, o_)] -> \
       answer[AT(c, o_)] = false; outstanding[AT(c, o_)] = false; \
       if :: o_ != DIR -> held[AT(c, o_)] = false :: else fi; Reclaim(); i = 0; o = 0; busy = false } \
  :: d_step { returning[AT(c, o_)] != 0 -> \
       if :: returning[AT(c, o_)] == 1 -> held[AT(c, o_)] = false :: else fi; \
       returning[AT(c, o_)] = 0; Reclaim(); i = 0; o = 0; busy = false }

active proctype Server() {
  byte i, o;
  bool busy, conflict;
end:
  do
  SERVE(0) TAKE(0, 0) TAKE(0, 1) TAKE(0, 2)
  SERVE(1) TAKE(1, 0) TAKE(1, 1) TAKE(1, 2)
  od
}

inline Observe(seen) {
  if
  :: seen > newest -> newest = seen
  :: else
  fi
}

/* System calls that the server never hears of: look at the name, open the file. */
proctype Reader(byte c) {
end:
  do
  :: atomic { have_name[c] -> assert(name[c] >= newest); Observe(name[c]) }
  :: atomic { have_name[c] && PRESENT(name[c]) && (have_file[c] & BIT(FILE(name[c]))) &&
              !((lazy[c] | registered[c]) & BIT(FILE(name[c]))) ->
       assert(name[c] >= newest);
       Observe(name[c]);
       lazy[c] = lazy[c] | BIT(FILE(name[c])) }
  od
}

inline Overtake(c, o) {
#ifndef NO_BARRIER             /* replies on their way are still believed after the recall */
  if
  :: rq[c].state != idle -> rq[c].overtaken = rq[c].overtaken | BIT(o)
  :: else
  fi
#else
  skip
#endif
}

inline Drop(c, o) {
  if
  :: o == DIR -> have_name[c] = false; name[c] = 0
  :: else -> have_file[c] = have_file[c] & ~BIT(o)
  fi
}

/* A message of its own, answered before anything else is done with the lease. */
inline Register(c, o) {
#ifdef NO_REGISTRATION         /* a lease is given up with opens that nobody knows */
  skip
#else
  if
  :: lazy[c] & BIT(o) ->
    assert((freed & BIT(o)) == 0);
    opens[c] = opens[c] | BIT(o);
    registered[c] = registered[c] | BIT(o);
    lazy[c] = lazy[c] & ~BIT(o)
  :: else
  fi
#endif
}

proctype Recaller(byte c; byte o) {
end:
  do
  :: atomic { event[AT(c, o)] -> event[AT(c, o)] = false; Overtake(c, o); Drop(c, o) }
     atomic { Register(c, o) }
     answer[AT(c, o)] = true
  od
}

inline Begin(c, what) {
  rq[c].kind = what;
  rq[c].floor = newest;
  rq[c].state = sent
}

inline End(c) {
  rq[c].state = idle;
  rq[c].kind = lookup;
  rq[c].version = 0;
  rq[c].floor = 0;
  rq[c].granted = 0;
  rq[c].overtaken = 0;
  rq[c].parked_at = 0
}

proctype Thread(byte c) {
  byte left = OPS;
  byte o;
end:
  do
  :: atomic { left > 0 -> left--; Begin(c, lookup) }
     atomic {
       rq[c].state == replied ->
       assert(rq[c].version >= rq[c].floor);
       Observe(rq[c].version);
       if
       :: (rq[c].granted & ~rq[c].overtaken) & BIT(DIR) ->
         have_name[c] = true;
         name[c] = rq[c].version
       :: else
       fi;
       have_file[c] = have_file[c] | (rq[c].granted & ~rq[c].overtaken & ~BIT(DIR));
       End(c)
     }
  :: atomic { left > 0 && changes > 0 ->
       left--;
       changes--;
       have_name[c] = false;
       name[c] = 0;
       have_file[c] = 0;
       Begin(c, change) }
     atomic { rq[c].state == replied -> Observe(rq[c].version); End(c) }
  :: atomic { left > 0 ->
       left--;
       if
       :: o = 1
       :: o = 2
       fi;
       Overtake(c, o);
       Drop(c, o) }
     atomic { Register(c, o) }
     atomic { returning[AT(c, o)] == 0 -> returning[AT(c, o)] = 1; o = 0 }
  od
}

init {
  atomic {
    run Thread(0); run Reader(0); run Recaller(0, 0); run Recaller(0, 1); run Recaller(0, 2);
    run Thread(1); run Reader(1); run Recaller(1, 0); run Recaller(1, 1); run Recaller(1, 2)
  }
}
