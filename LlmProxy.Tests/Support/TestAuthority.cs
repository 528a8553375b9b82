using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmProxy.Tests.Support;

/// <summary>An authority of a company's own: it signs certificates and stands in a file.</summary>
public sealed class TestAuthority : IDisposable
{
    private readonly X509Certificate2 _certificate;

    public TestAuthority()
        : this(null)
    {
    }

    private TestAuthority(TestAuthority? parent)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Test authority {Guid.NewGuid():N}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        _certificate = parent is null ? request.CreateSelfSigned(now.AddDays(-20), now.AddDays(20)) : parent.Sign(request, key, -19, 19);
        File = Path.Combine(Path.GetTempPath(), $"llmproxy-{Guid.NewGuid():N}.pem");
        System.IO.File.WriteAllText(File, Pem);
    }

    /// <summary>The PEM file with its certificate alone.</summary>
    public string File { get; }

    public string Pem => _certificate.ExportCertificatePem() + "\n";

    public string Thumbprint => _certificate.Thumbprint;

    /// <summary>The certificate, without the key.</summary>
    public X509Certificate2 Public => X509CertificateLoader.LoadCertificate(_certificate.RawData);

    /// <summary>Another authority, which this one has signed.</summary>
    public TestAuthority Below() => new(this);

    /// <summary>A certificate of a server.</summary>
    public X509Certificate2 Issue(string host, int fromDays = -1, int toDays = 1)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}, O=canary-subject", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        return Sign(request, key, fromDays, toDays);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        System.IO.File.Delete(File);
    }

    private X509Certificate2 Sign(CertificateRequest request, ECDsa key, int fromDays, int toDays)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 signed = request.Create(_certificate, now.AddDays(fromDays), now.AddDays(toDays), Guid.NewGuid().ToByteArray());
        using X509Certificate2 whole = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
    }
}
