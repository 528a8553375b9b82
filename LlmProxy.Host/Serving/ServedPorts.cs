using System.Text.Json;

namespace LlmProxy.Host.Serving;

/// <summary>Tells the API's connections from those of the admin listener.</summary>
internal sealed class ServedPorts(bool apiIsLoopback, int? adminPort)
{
    private int _adminPort = adminPort ?? -1;

    public bool HasAdmin => adminPort is not null;

    /// <summary>Where the API is, without <c>/v1</c>; a host such as <c>0.0.0.0</c> or <c>[::]</c> stands for all of the machine's.</summary>
    public IReadOnlyList<string> Api { get; private set; } = [];

    public bool IsAdmin(HttpContext http) => http.Connection.LocalPort == Volatile.Read(ref _adminPort);

    public bool ServesMetrics(HttpContext http) => apiIsLoopback || IsAdmin(http);

    /// <summary>Writes <see cref="Api"/> as the member <c>api</c> of the object that is being written.</summary>
    public void WriteApi(Utf8JsonWriter json)
    {
        json.WriteStartArray("api"u8);
        foreach (var address in Api)
        {
            json.WriteStringValue(address);
        }

        json.WriteEndArray();
    }

    /// <summary>The addresses that the server got, the API's first, the admin listener's last: a port may have been left open.</summary>
    public void SetServed(IReadOnlyList<string> addresses)
    {
        Api = HasAdmin ? [.. addresses.SkipLast(1)] : addresses;
        if (HasAdmin)
        {
            Volatile.Write(ref _adminPort, BindingAddress.Parse(addresses[^1]).Port);
        }
    }
}
