/* The figures of the file system, which are leased without a latch: changes of them run side by side,
 * with each other and with those who look.
 *
 * What corresponds to what: `under_way` is state/figures.h's count of changes, `held` the table's entry
 * of the one client, `truth` the store's counter; Change is Driver::Commit, Look the client's request
 * and LocalFs::StatFs, in the steps that others may come between. The table's mutex makes its own steps
 * one. A recall is answered at once, and bars replies that were asked for before (client/cache/table.h).
 *
 * Property: when a change is committed, the client keeps nothing from before it.
 */
#ifndef CHANGES
#define CHANGES 2              /* side by side */
#endif
#ifndef LOOKS
#define LOOKS 2                /* side by side, of the one client */
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

byte under_way;
bool held;                     /* as the table has it */
byte reserved;
bool locked;                   /* Figures::mu_ */
bool told;                     /* it has been granted to the client, perhaps recalled since */
byte truth;
byte kept;                     /* what the client would answer with, plus one; 0: it would ask */
byte bars;

active [CHANGES] proctype Change() {
  byte rounds;
  bool parked;
  do
  :: rounds == ROUNDS -> break
  :: rounds < ROUNDS ->
#ifndef ASK_FIRST
     atomic { under_way++ }
#endif
     /* the question; what is held is recalled and reserved, and the answer comes */
     atomic {
       if
       :: held -> reserved++; parked = true; bars++; kept = 0; held = false
       :: else
       fi
     }
#ifdef ASK_FIRST               /* what was granted since the question is not seen */
     atomic { under_way++ }
#endif
     atomic { truth++; assert(kept == 0 || kept == truth + 1) }
     atomic { under_way-- }
     if
     :: parked -> atomic { parked = false; reserved-- }
     :: else
     fi;
     rounds++
  od
}

active [LOOKS] proctype Look() {
  byte rounds, start, seen;
  bool granted;
  do
  :: rounds == ROUNDS -> break
  :: rounds < ROUNDS ->
     start = bars;
#ifdef LOOK_FIRST              /* what is changed and committed before the grant is not seen */
     seen = truth + 1;
#endif
     /* Figures::Grant under its mutex: entered first, then looked whether a change is under way */
     atomic { !locked -> locked = true };
     atomic {
       granted = reserved == 0;
       held = held || granted
     }
#ifndef GRANT_REGARDLESS
     atomic {
       if
       :: granted && under_way > 0 ->
          granted = false;
#ifdef TAKE_BACK_ALWAYS        /* also what another request was granted, and may be used */
          held = false
#else
          held = held && told
#endif
       :: else
       fi
     }
#endif
     atomic { told = told || granted; locked = false }
#ifndef LOOK_FIRST
     seen = truth + 1;
#endif
     /* the reply arrives */
     atomic {
       if
       :: granted && bars == start -> kept = seen; assert(kept == truth + 1)
       :: else
       fi
     };
     rounds++
  od
}
