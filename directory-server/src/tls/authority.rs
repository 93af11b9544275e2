//! The private CA: it issues the directory's own certificate (unless the operator brings one) and
//! the hosts' client certificates. It says who a host is; what the host may have is decided anew at
//! every request.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::{NoRandomness, Random};

const CA_LIFETIME_DAYS: i64 = 3650;
const SERVER_LIFETIME_DAYS: i64 = 825;

/// Why the CA cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key, certificate or request cannot be read or made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The CA's certificate cannot be read.
    #[error("the CA certificate is not PEM: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// No serial number can be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A date outside the calendar.
    #[error("a certificate's end lies outside the calendar")]
    Date(#[from] jiff::Error),
}

/// The CA, ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    /// What enrolment tokens pin: the SHA-256 of the certificate that ends the server's chain.
    pinned: [u8; 32],
    pinned_pem: String,
    /// The server's own key, where this CA issued its certificate.
    server_pin: Option<String>,
}

/// A certificate for the directory itself, with its key.
pub struct IssuedServer {
    /// Leaf and CA, PEM.
    pub chain_pem: String,
    /// Private key, PEM.
    pub key_pem: String,
}

impl Authority {
    /// Makes a new CA. Returns it with its private key (PEM).
    ///
    /// # Errors
    /// No key can be made.
    pub fn create(organisation: &str, now: Timestamp) -> Result<(Self, String), AuthorityError> {
        let key = KeyPair::generate()?;
        let key_pem = key.serialize_pem();
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = common_name(&format!("cloudid CA {organisation}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_dates(
            &mut params,
            now,
            SignedDuration::from_hours(24 * CA_LIFETIME_DAYS),
        )?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok((
            Self::load(&certificate_pem, &key_pem, &certificate_pem)?,
            key_pem,
        ))
    }

    /// Takes the CA from its files; `server_chain_pem` is what the listener sends.
    ///
    /// # Errors
    /// A file is not what it should be.
    pub fn load(
        certificate_pem: &str,
        key_pem: &str,
        server_chain_pem: &str,
    ) -> Result<Self, AuthorityError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, KeyPair::from_pem(key_pem)?)?;
        let chain = CertificateDer::pem_slice_iter(server_chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        let pinned = chain.last().unwrap_or(&certificate).clone();
        let server = chain.first().filter(|_| pinned == certificate);
        Ok(Self {
            issuer,
            certificate_pem: certificate_pem.to_owned(),
            pinned: Sha256::digest(&pinned).into(),
            pinned_pem: to_pem(&pinned),
            server_pin: server.and_then(key_pin),
            certificate,
        })
    }

    /// The CA's certificate (PEM).
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The CA's certificate (DER).
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate that hosts pin (DER): the last one of the chain that the server
    /// sends. It goes into enrolment tokens.
    #[must_use]
    pub fn pinned_fingerprint(&self) -> [u8; 32] {
        self.pinned
    }

    /// The certificate that hosts pin (PEM).
    #[must_use]
    pub fn pinned_certificate_pem(&self) -> &str {
        &self.pinned_pem
    }

    /// The key of the server's certificate as curl names it, where the certificate is this CA's and
    /// no public authority vouches for it.
    #[must_use]
    pub fn server_pin(&self) -> Option<&str> {
        self.server_pin.as_deref()
    }

    /// Issues the directory's own certificate for these names and addresses.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn issue_server(
        &self,
        names: &[String],
        (now, random): (Timestamp, &Random),
    ) -> Result<IssuedServer, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = common_name(names.first().map_or("cloudid", String::as_str));
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into()?),
            });
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.serial_number = Some(serial(random)?.0);
        params.use_authority_key_identifier_extension = true;
        set_dates(
            &mut params,
            now,
            SignedDuration::from_hours(24 * SERVER_LIFETIME_DAYS),
        )?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(IssuedServer {
            chain_pem: format!("{}{}", leaf.pem(), self.certificate_pem),
            key_pem: key.serialize_pem(),
        })
    }

    /// Issues a host's client certificate for the key of its request; whatever else the request
    /// asks for is not heard. Returns the certificate (PEM) and its serial number (hex).
    ///
    /// # Errors
    /// The request cannot be read or its own signature is wrong.
    pub fn issue_host(
        &self,
        request_pem: &str,
        host_id: &str,
        valid_for: SignedDuration,
        (now, random): (Timestamp, &Random),
    ) -> Result<(String, String), AuthorityError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)?;
        let (serial, serial_text) = serial(random)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = common_name(host_id);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(serial);
        params.use_authority_key_identifier_extension = true;
        set_dates(&mut params, now, valid_for)?;
        request.params = params;
        Ok((request.signed_by(&self.issuer)?.pem(), serial_text))
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn serial(random: &Random) -> Result<(SerialNumber, String), NoRandomness> {
    let mut bytes: [u8; 16] = random.bytes()?;
    if let Some(first) = bytes.first_mut() {
        // Positive and without leading zeros in every reading of ASN.1.
        *first = (*first & 0x7f) | 0x40;
    }
    let text = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((SerialNumber::from_slice(&bytes), text))
}

/// From yesterday (clocks differ) to the day after the last.
fn set_dates(
    params: &mut CertificateParams,
    now: Timestamp,
    valid_for: SignedDuration,
) -> Result<(), AuthorityError> {
    let day = SignedDuration::from_hours(24);
    params.not_before = date(now.checked_sub(day)?);
    params.not_after = date(now.checked_add(valid_for)?.checked_add(day)?);
    Ok(())
}

fn date(moment: Timestamp) -> DateTime {
    let date = moment.to_zoned(TimeZone::UTC).date();
    rcgen::date_time_ymd(
        i32::from(date.year()),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}

type DateTime = time::OffsetDateTime;

/// `sha256//` and the digest of the public key in Base64.
fn key_pin(certificate: &CertificateDer<'_>) -> Option<String> {
    use base64::Engine;
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let digest = Sha256::digest(certificate.public_key().raw);
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    Some(format!("sha256//{digest}"))
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}
