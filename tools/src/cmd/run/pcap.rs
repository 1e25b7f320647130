//! Captures: packets in, and packets out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is neither pcap nor pcapng")]
    NotCapture,
    #[error("it ends in the middle of a packet, at byte {0}")]
    Truncated(usize),
    #[error("a block of more than {MOST} bytes, at byte {0}")]
    TooLong(usize),
    #[error("a malformed block at byte {0}")]
    Malformed(usize),
    #[error("packets of link type {0}: those of Ethernet and raw IP can be read")]
    Link(Linktype),
    #[error("a packet of interface {0}, which the file does not describe")]
    Interface(u32),
    #[error("a packet of {0} bytes that is neither IPv4 nor IPv6")]
    NotIp(usize),
}

/// Largest block that is read, in bytes: a packet of the largest size, with room for options.
const MOST: usize = 1 << 20;

/// A packet of a capture, with its link-layer header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// When it was captured, since 1970; none where the file does not say.
    pub(super) time: Option<Duration>,
}

/// What packets of an interface look like.
#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Ticks a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

/// The packets of a file, one after the other.
pub(super) struct Capture {
    reader: Box<dyn PcapReaderIterator + Send>,
    interfaces: Vec<Interface>,
    ready: VecDeque<Frame>,
}

impl Capture {
    pub(super) fn open(path: &Path) -> Result<Capture, CaptureError> {
        let file = File::open(path)?;
        let reader = create_reader(MOST, file).map_err(|error| match error {
            PcapError::ReadError => CaptureError::Io(io::Error::other("it cannot be read")),
            PcapError::Eof
            | PcapError::BufferTooSmall
            | PcapError::UnexpectedEof
            | PcapError::Incomplete(_)
            | PcapError::HeaderNotRecognized
            | PcapError::NomError(..)
            | PcapError::OwnedNomError(..) => CaptureError::NotCapture,
        })?;
        Ok(Capture { reader, interfaces: Vec::new(), ready: VecDeque::new() })
    }

    /// Reads blocks until there is a packet; `None` at the end of the file.
    fn read(&mut self) -> Result<Option<Frame>, CaptureError> {
        let Capture { reader, interfaces, ready } = self;
        while ready.is_empty() {
            let at = reader.position();
            let used = match reader.next() {
                Ok((used, block)) => {
                    ready.extend(take(interfaces, &block)?);
                    used
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    let exhausted = reader.reader_exhausted();
                    reader.refill().map_err(|_| CaptureError::Io(io::Error::other("it cannot be read")))?;
                    if exhausted {
                        return Err(CaptureError::Truncated(at));
                    }
                    continue;
                }
                Err(PcapError::UnexpectedEof) => return Err(CaptureError::Truncated(at)),
                Err(PcapError::BufferTooSmall) => return Err(CaptureError::TooLong(at)),
                Err(PcapError::ReadError) => return Err(CaptureError::Io(io::Error::other("it cannot be read"))),
                Err(PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..)) => {
                    return Err(CaptureError::Malformed(at));
                }
            };
            reader.consume(used);
        }
        Ok(ready.pop_front())
    }
}

impl Iterator for Capture {
    type Item = Result<Frame, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// What a block brings: an interface that is remembered, or a packet.
fn take(interfaces: &mut Vec<Interface>, block: &PcapBlockOwned<'_>) -> Result<Option<Frame>, CaptureError> {
    let described = |interfaces: &[Interface], id: u32| interfaces.get(id as usize).copied().ok_or(CaptureError::Interface(id));
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            interfaces.push(Interface { link: header.network, resolution, offset: 0 });
            Ok(None)
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = described(interfaces, 0)?;
            let ticks = u64::from(packet.ts_sec) * interface.resolution + u64::from(packet.ts_usec);
            frame(interface.link, packet.data, time(interface, ticks)).map(Some)
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(None)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
            let (exponent, binary) = (u32::from(block.if_tsresol & 0x7f), block.if_tsresol & 0x80 != 0);
            let resolution = if binary { 2u64.checked_pow(exponent) } else { 10u64.checked_pow(exponent) };
            // A resolution beyond all sense leaves packets without a time.
            interfaces.push(Interface { link: block.linktype, resolution: resolution.unwrap_or(0), offset: block.if_tsoffset });
            Ok(None)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = described(interfaces, packet.if_id)?;
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            frame(interface.link, packet.packet_data(), time(interface, ticks)).map(Some)
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = described(interfaces, 0)?;
            frame(interface.link, packet.packet_data(), None).map(Some)
        }
        PcapBlockOwned::NG(
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_)
            | Block::Custom(_)
            | Block::Unknown(_),
        ) => Ok(None),
    }
}

fn time(interface: Interface, ticks: u64) -> Option<Duration> {
    let seconds = ticks.checked_div(interface.resolution)?.checked_add_signed(interface.offset)?;
    let nanoseconds = u128::from(ticks % interface.resolution) * 1_000_000_000 / u128::from(interface.resolution);
    Some(Duration::new(seconds, nanoseconds as u32))
}

/// A packet with a link-layer header: raw IP gets one of zeros and a protocol.
fn frame(link: Linktype, bytes: &[u8], time: Option<Duration>) -> Result<Frame, CaptureError> {
    let bytes = match link {
        Linktype::ETHERNET => bytes.to_vec(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => {
            let protocol: [u8; 2] = match bytes.first().map(|byte| byte >> 4) {
                Some(4) => [0x08, 0x00],
                Some(6) => [0x86, 0xdd],
                Some(_) | None => return Err(CaptureError::NotIp(bytes.len())),
            };
            [&[0; 12], &protocol[..], bytes].concat()
        }
        other => return Err(CaptureError::Link(other)),
    };
    Ok(Frame { bytes, time })
}

/// A capture being written: pcap of Ethernet frames, with times in nanoseconds.
pub(super) struct Writer {
    file: BufWriter<File>,
}

impl Writer {
    pub(super) fn create(path: &Path) -> io::Result<Writer> {
        const MAGIC: u32 = 0xa1b2_3c4d;
        const SNAPLEN: u32 = 1 << 18;
        const ETHERNET: u32 = 1;
        let mut file = BufWriter::new(File::create(path)?);
        // Magic, version 2.4, time zone and accuracy, longest packet, link type.
        for word in [MAGIC, 4 << 16 | 2, 0, 0, SNAPLEN, ETHERNET] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Writer { file })
    }

    pub(super) fn write(&mut self, time: Duration, bytes: &[u8]) -> io::Result<()> {
        let len = bytes.len() as u32;
        for word in [time.as_secs() as u32, time.subsec_nanos(), len, len] {
            self.file.write_all(&word.to_le_bytes())?;
        }
        self.file.write_all(bytes)
    }

    /// Writes what is still held back.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Frame>, CaptureError> {
        let path = std::env::temp_dir().join(format!("skep-pcap-{}-{:p}", std::process::id(), bytes));
        std::fs::write(&path, bytes).unwrap();
        let frames = Capture::open(&path).and_then(Iterator::collect);
        std::fs::remove_file(&path).unwrap();
        frames
    }

    /// A block of pcapng, little-endian.
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = (12 + body.len() as u32).to_le_bytes();
        [&kind.to_le_bytes(), &len[..], body, &len[..]].concat()
    }

    /// A section with an interface: its link type, and its options.
    fn section(link: u8, options: &[u8]) -> Vec<u8> {
        let header = block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        [header, block(1, &[&[link, 0, 0, 0, 0, 0, 4, 0], options].concat())].concat()
    }

    /// An enhanced packet of interface 0.
    fn packet(ticks: u64, data: &[u8]) -> Vec<u8> {
        let words = [0, (ticks >> 32) as u32, ticks as u32, data.len() as u32, data.len() as u32];
        let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        block(6, &body)
    }

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("skep-pcap-written-{}", std::process::id()));
        let times = [Duration::new(1_700_000_000, 123_456_789), Duration::new(1_700_000_001, 0)];
        let mut writer = Writer::create(&path).unwrap();
        for (time, len) in times.iter().zip([60, 0]) {
            writer.write(*time, &vec![7; len]).unwrap();
        }
        writer.finish().unwrap();
        let frames: Vec<Frame> = Capture::open(&path).unwrap().map(Result::unwrap).collect();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0], Frame { bytes: vec![7; 60], time: Some(times[0]) });
        assert_eq!(frames[1], Frame { bytes: Vec::new(), time: Some(times[1]) });
    }

    #[test]
    fn times_of_pcapng_count_in_the_units_of_their_interface() {
        let nanoseconds = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let cases =
            [(&[][..], 1_500_000, Duration::from_millis(1500)), (&nanoseconds[..], 1_500_000, Duration::from_micros(1500))];
        for (options, ticks, time) in cases {
            let frames = read(&[section(1, options), packet(ticks, &[1, 2, 3])].concat()).unwrap();
            assert_eq!(frames, [Frame { bytes: vec![1, 2, 3], time: Some(time) }]);
        }
    }

    #[test]
    fn raw_ip_gets_a_header() {
        let frames = read(&[section(101, &[]), packet(0, &[0x60, 1])].concat()).unwrap();
        assert_eq!(frames[0].bytes, [&[0; 12][..], &[0x86, 0xdd, 0x60, 1]].concat());
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        assert!(matches!(read(b"not a capture, but text that is long enough"), Err(CaptureError::NotCapture)));
        assert!(matches!(read(b""), Err(CaptureError::NotCapture)));
        let whole = [section(1, &[]), packet(0, &[1; 60])].concat();
        assert!(matches!(read(&whole[..whole.len() - 10]), Err(CaptureError::Truncated(_))));
        assert!(matches!(read(&[section(113, &[]), packet(0, &[1; 60])].concat()), Err(CaptureError::Link(Linktype(113)))));
        let mut long = whole;
        long[48 + 4..][..4].copy_from_slice(&0x7fff_fff0u32.to_le_bytes());
        assert!(matches!(read(&long), Err(CaptureError::TooLong(48))));
    }
}
