// Reservations
