using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>Which target now? The front door of the sixth stage. It takes the first that serves the operation.</summary>
internal static class Balancer
{
    /// <returns>Null if none of the route's targets serves the operation.</returns>
    public static Target? Pick(Route route, Operations operation)
    {
        foreach (var target in route.Targets)
        {
            if ((target.Upstream.Operations & operation) != 0)
            {
                return target;
            }
        }

        return null;
    }
}
