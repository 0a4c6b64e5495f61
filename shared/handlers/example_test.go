package handlers

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// orderPlaced is the handler that the package comment shows.
func orderPlaced(_ context.Context, e event.Event) (Result, error) {
	var order struct{ Total int }
	if err := json.Unmarshal(e.Data(), &order); err != nil {
		return Result{}, Reject("data is no order: %v", err)
	}
	if order.Total == 0 {
		return Drop("empty order"), nil
	}
	return Change(e.Edit().Set("priority", "high"))
}

func ExampleHandler() {
	registry, err := NewRegistry([]Handler{
		{Type: "com.example.order.placed", Handle: orderPlaced},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, data := range []string{`{"total":7}`, `{"total":0}`, `"seven"`} {
		e, err := event.New("/shop", "1", "com.example.order.placed").Data(json.RawMessage(data)).Build()
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := registry.Find(e.Type()).Handle(context.Background(), e)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		out, dropped, err := r.Output(&e)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		for i := range out {
			fmt.Println("forward:", out[i].ID(), out[i].Priority())
		}
		if dropped != "" {
			fmt.Println("drop:", dropped)
		}
	}
	// Output:
	// forward: 1 high
	// drop: empty order
	// error: handler_rejected: data is no order: json: cannot unmarshal string into Go value of type struct { Total int }
}
