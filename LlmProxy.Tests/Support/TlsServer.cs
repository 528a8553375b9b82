using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmProxy.Tests.Support;

/// <summary>A server that greets every connection in its own way and counts the bytes that come after a handshake.</summary>
public sealed class TlsServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly IPEndPoint? _behind;
    private int _connections;
    private int _received;

    /// <param name="greet">Shakes hands and returns the stream on which a request would come; null to do nothing at all.</param>
    /// <param name="behind">Who answers what comes then; null: nobody.</param>
    public TlsServer(Func<NetworkStream, Task<Stream>>? greet, IPEndPoint? behind = null)
    {
        _behind = behind;
        _listener.Start();
        _ = AcceptAsync(greet);
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    public Uri Url => new($"https://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1");

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Bytes of requests.</summary>
    public int Received => Volatile.Read(ref _received);

    /// <summary>A handshake with a certificate.</summary>
    public static Func<NetworkStream, Task<Stream>> With(X509Certificate2 certificate, params X509Certificate2[] chain) => async stream =>
    {
        var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, [.. chain], offline: true) });
        return tls;
    };

    /// <summary>A certificate that nobody has signed but itself.</summary>
    public static X509Certificate2 SelfSigned(string host, int fromDays = -1, int toDays = 1)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}, O=canary-subject", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddDays(fromDays), now.AddDays(toDays));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(Func<NetworkStream, Task<Stream>>? greet)
    {
        CancellationToken stopping = _stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptSocketAsync(stopping);
                Interlocked.Increment(ref _connections);
                _ = ServeAsync(socket, greet, stopping);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket, Func<NetworkStream, Task<Stream>>? greet, CancellationToken stopping)
    {
        using (socket)
        {
            try
            {
                await using var stream = new NetworkStream(socket);
                if (greet is null)
                {
                    await Task.Delay(Timeout.Infinite, stopping);
                    return;
                }

                await using Stream plain = await greet(stream);
                using var behind = new Socket(SocketType.Stream, ProtocolType.Tcp);
                Task answering = Task.CompletedTask;
                if (_behind is not null)
                {
                    await behind.ConnectAsync(_behind, stopping);
                    answering = new NetworkStream(behind).CopyToAsync(plain, stopping);
                }

                byte[] buffer = new byte[4096];
                while (await plain.ReadAsync(buffer, stopping) is > 0 and int count)
                {
                    Interlocked.Add(ref _received, count);
                    if (_behind is not null)
                    {
                        await behind.SendAsync(buffer.AsMemory(0, count), stopping);
                    }
                }

                behind.Close();
                await answering;
            }
            catch (Exception e) when (e is IOException or AuthenticationException or OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // What the other side thinks of the greeting.
            }
        }
    }
}
