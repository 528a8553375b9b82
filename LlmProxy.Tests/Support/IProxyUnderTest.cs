using System.Net;

namespace LlmProxy.Tests.Support;

/// <summary>The proxy that the end-to-end tests talk to: an app in this process, or the published executable as its own.</summary>
public interface IProxyUnderTest : IAsyncDisposable
{
    /// <summary>The address without a path, for example <c>http://127.0.0.1:5000</c>.</summary>
    Uri Address { get; }

    IPEndPoint EndPoint => new(IPAddress.Parse(Address.Host), Address.Port);

    /// <summary>The completion records so far.</summary>
    IReadOnlyList<RecordView> Records { get; }

    /// <summary>Requests that reached the proxy's prefix; null where only the proxy knows.</summary>
    int? Entered { get; }

    /// <summary>Every line that the proxy logged so far, records excepted.</summary>
    IEnumerable<string> LogLines { get; }

    /// <summary>Those of them that say that something of ours went wrong.</summary>
    IEnumerable<string> ErrorLines { get; }

    /// <summary>The in-flight gauge; null where the proxy does not publish it.</summary>
    Task<long?> ActiveAsync();

    /// <summary>The file that it is configured by, if it is.</summary>
    string ConfigurationPath { get; }

    /// <summary>The generation of the configuration in force.</summary>
    Task<long> GenerationAsync();

    /// <summary>Makes it read its file again at once; returns when that has been asked for.</summary>
    Task AskToReloadAsync();

    /// <summary>Ends it in good order and says what was not in order about that; null if nothing.</summary>
    Task<string?> StopAsync();
}
