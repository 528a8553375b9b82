using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class AuthorityFileTests
{
    private string _path = null!;

    [SetUp]
    public void MakeFile() => _path = Path.GetTempFileName();

    [TearDown]
    public void DeleteFile() => File.Delete(_path);

    [TestCase("", "holds no certificate in PEM form.")]
    [TestCase("not a certificate", "holds no certificate in PEM form.")]
    [TestCase("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n", "holds no certificate in PEM form.")]
    [TestCase("-----BEGIN CERTIFICATE-----\ncanary==\n-----END CERTIFICATE-----\n", "holds no certificate in PEM form.")]
    [TestCase("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "holds a certificate that cannot be read.")]
    public void A_file_without_certificates_is_refused_with_its_path_and_nothing_of_what_it_holds(string text, string problem)
    {
        File.WriteAllText(_path, text);
        Assert.That(Written.Refused(Written.Upstream($"\"Kind\": \"OpenAI\", \"CaFile\": \"{_path}\"")), Is.EqualTo(new[]
        {
            $"error  line 2  Upstreams › a › CaFile: \"{_path}\" {problem} Name a PEM file with the certificate of the authority that signed the upstream's, or leave it out.",
        }));
    }

    [Test]
    public void All_certificates_of_a_file_are_read()
    {
        using var one = new TestAuthority();
        using var two = new TestAuthority();
        File.WriteAllText(_path, one.Pem + "# and one more\n" + two.Pem);
        Assert.That(AuthorityFile.TryRead(_path, out var problem)?.Select(c => c.Thumbprint), Is.EqualTo(new[] { one.Thumbprint, two.Thumbprint }));
        Assert.That(problem, Is.Null);
        Assert.That(Written.Warned(Written.Upstream($"\"Kind\": \"OpenAI\", \"CaFile\": \"{_path}\"")), Is.Empty);
    }

    [Test]
    public void Where_nothing_is_encrypted_it_is_said_to_be_of_no_use()
    {
        using var authority = new TestAuthority();
        Assert.That(
            Written.Warned(Written.Upstream($"\"Url\": \"http://10.0.4.11:8000\", \"CaFile\": \"{authority.File}\"")),
            Is.EqualTo(new[] { "warn   line 2  Upstreams › a › CaFile: is not used: Url does not start with https://." }));
    }
}
