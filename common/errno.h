// Error numbers of the file system interface: stored and sent with Linux's own generic values.
#pragma once

#include <cstdint>
#include <string_view>

namespace tarn {

// Never renumber. kOk is no error; an Error never carries it.
enum class Errno : int32_t {
  // Not an errno: a read met a record that its transaction may not see yet (a latch or lease is
  // missing, or the record is not in memory). Never leaves the driver that runs the rules.
  kBlocked = -1,
  kOk = 0,
  kEPERM = 1,
  kENOENT = 2,
  kEINTR = 4,
  kEIO = 5,
  kENXIO = 6,
  kE2BIG = 7,
  kEBADF = 9,
  kEAGAIN = 11,
  kENOMEM = 12,
  kEACCES = 13,
  kEBUSY = 16,
  kEEXIST = 17,
  kEXDEV = 18,
  kENODEV = 19,
  kENOTDIR = 20,
  kEISDIR = 21,
  kEINVAL = 22,
  kENFILE = 23,
  kEMFILE = 24,
  kENOTTY = 25,
  kETXTBSY = 26,
  kEFBIG = 27,
  kENOSPC = 28,
  kESPIPE = 29,
  kEROFS = 30,
  kEMLINK = 31,
  kERANGE = 34,
  kEDEADLK = 35,
  kENAMETOOLONG = 36,
  kENOLCK = 37,
  kENOSYS = 38,
  kENOTEMPTY = 39,
  kELOOP = 40,
  kENODATA = 61,
  kEOVERFLOW = 75,
  kEOPNOTSUPP = 95,
  kETIMEDOUT = 110,
  kESTALE = 116,
  kEDQUOT = 122,
  kECANCELED = 125,
};

// The system's number for `e`, for replies to the kernel. REQUIRES: e is not kBlocked.
int ToSystem(Errno e);

// The Errno of a system number; numbers this table lacks become kEIO.
Errno FromSystem(int system_errno);

// True for a value this build knows, kBlocked excepted: what may arrive from the network.
bool IsValidErrno(int32_t value);

// The name as in errno(3), for example "ENOENT".
std::string_view ErrnoName(Errno e);

}  // namespace tarn
